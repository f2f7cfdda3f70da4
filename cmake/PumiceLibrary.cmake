# SPDX-License-Identifier: Apache-2.0
include(CheckCXXCompilerFlag)
file(GLOB_RECURSE engine_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/engine/*.cpp)

# The engine is compiled once. Nothing of it is seen outside of the library but what a public header
# declares (PUMICE_API): see include/pumice/export.h.
add_library(pumice_objects OBJECT ${engine_sources} ${PUMICE_KERNELS_CPP} ${PUMICE_KERNELS_H}
            ${PUMICE_ITERATIONS_CPP} ${PUMICE_ITERATIONS_H} ${PUMICE_VOLK_DIR}/volk.c)
set_target_properties(pumice_objects PROPERTIES POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)

# The public headers, for libraries that do not say which form of the engine they are linked with.
add_library(pumice_headers INTERFACE)
target_compile_features(pumice_headers INTERFACE cxx_std_20)
target_include_directories(pumice_headers INTERFACE ${PROJECT_SOURCE_DIR}/include)

set(engine_libraries Threads::Threads ${CMAKE_DL_LIBS} glslang::glslang glslang::SPIRV
                     glslang::glslang-default-resource-limits)
target_link_libraries(pumice_objects PRIVATE pumice_headers pumice_options pumice_private
                                             ${engine_libraries})

# What users link.
add_library(pumice $<TARGET_OBJECTS:pumice_objects>)
add_library(Pumice::pumice ALIAS pumice)
target_compile_features(pumice PUBLIC cxx_std_20)
target_include_directories(pumice PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(pumice PRIVATE $<BUILD_INTERFACE:pumice_private> ${engine_libraries})

# What tests, gates and the command link, which look inside.
add_library(pumice_internal STATIC $<TARGET_OBJECTS:pumice_objects>)
target_link_libraries(pumice_internal PUBLIC pumice_headers pumice_private ${engine_libraries})

# Every operator is a few hundred calls inside the library. They need not be interposable, and
# generic x86 tuning clears structures of 100 bytes with a `rep stos` of 15 ns.
check_cxx_compiler_flag(-fno-semantic-interposition PUMICE_HAS_NO_INTERPOSITION)
if(PUMICE_HAS_NO_INTERPOSITION AND UNIX AND NOT APPLE)
    target_compile_options(pumice_objects PRIVATE -fno-semantic-interposition)
    # The shader compiler's symbols stay inside, for a user may link another one, and so do the
    # instances of the standard library's templates.
    target_link_options(pumice PRIVATE -Wl,-Bsymbolic-functions -Wl,--exclude-libs,ALL
                        -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map)
    set_target_properties(pumice PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    check_cxx_compiler_flag(-mtune=skylake PUMICE_HAS_TUNE)
    if(PUMICE_HAS_TUNE)
        target_compile_options(pumice_objects PRIVATE -mtune=skylake)
    endif()
endif()
if(NOT BUILD_SHARED_LIBS)
    target_link_libraries(pumice PRIVATE fmt::fmt)  # also for who links the archive
endif()
set_target_properties(pumice PROPERTIES VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
