# SPDX-License-Identifier: Apache-2.0
include(CheckCXXCompilerFlag)
file(GLOB_RECURSE engine_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/engine/*.cpp)

add_library(pumice ${engine_sources} ${PUMICE_KERNELS_CPP} ${PUMICE_KERNELS_H}
            ${PUMICE_ITERATIONS_CPP} ${PUMICE_ITERATIONS_H}
                   ${PUMICE_VOLK_DIR}/volk.c)
add_library(Pumice::pumice ALIAS pumice)
target_compile_features(pumice PUBLIC cxx_std_20)
target_include_directories(pumice PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(pumice PRIVATE $<BUILD_INTERFACE:pumice_options>
                                     $<BUILD_INTERFACE:pumice_private>
                                     Threads::Threads ${CMAKE_DL_LIBS}
                                     glslang::glslang glslang::SPIRV
                                     glslang::glslang-default-resource-limits)
# Every operator is a few hundred calls inside the library. They need not be interposable, and
# generic x86 tuning clears structures of 100 bytes with a `rep stos` of 15 ns.
check_cxx_compiler_flag(-fno-semantic-interposition PUMICE_HAS_NO_INTERPOSITION)
if(PUMICE_HAS_NO_INTERPOSITION AND UNIX AND NOT APPLE)
    target_compile_options(pumice PRIVATE -fno-semantic-interposition)
    # The shader compiler's symbols stay inside: a user may link another one.
    target_link_options(pumice PRIVATE -Wl,-Bsymbolic-functions -Wl,--exclude-libs,ALL)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    check_cxx_compiler_flag(-mtune=skylake PUMICE_HAS_TUNE)
    if(PUMICE_HAS_TUNE)
        target_compile_options(pumice PRIVATE -mtune=skylake)
    endif()
endif()
if(NOT BUILD_SHARED_LIBS)
    target_link_libraries(pumice PRIVATE fmt::fmt)  # also for who links the archive
endif()
set_target_properties(pumice PROPERTIES VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
# volk's pointers carry the names of the loader's functions: unhidden, they would take the place of
# those functions in any process that also links the loader.
set_source_files_properties(${PUMICE_VOLK_DIR}/volk.c PROPERTIES
    COMPILE_OPTIONS "-fvisibility=hidden")
