# SPDX-License-Identifier: Apache-2.0
# Everything from outside, and the flags of our own code.
include(GNUInstallDirs)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_package(glslang CONFIG REQUIRED)
find_program(PUMICE_GLSLANG glslangValidator REQUIRED)
find_program(PUMICE_SPIRV_VAL spirv-val REQUIRED)
find_path(PUMICE_VOLK_DIR volk.c REQUIRED)

find_program(PUMICE_CCACHE ccache)
if(PUMICE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${PUMICE_CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${PUMICE_CCACHE})
endif()

if(PUMICE_SANITIZE)
    add_compile_options(-fsanitize=${PUMICE_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${PUMICE_SANITIZE})
    if(PUMICE_SANITIZE MATCHES "undefined")
        # GCC takes no function's address for a constant while it checks pointers for null, and the
        # static_assert beside every operator needs it. The address sanitizer stops at null anyway.
        add_compile_options(-fno-sanitize-recover=undefined
            -fno-sanitize=null,nonnull-attribute,returns-nonnull-attribute)
    endif()
endif()

# What engine code and whoever may include its headers (tools, tests) compiles with. g++ 12 finds
# overlapping copies inside std::string where there are none (GCC bug 105651).
set(is_gcc_12 "$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>")
add_library(pumice_options INTERFACE)
target_compile_options(pumice_options INTERFACE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wshadow -Wconversion>
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,${is_gcc_12}>:-Wno-restrict>
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${PUMICE_WERROR}>>:-Werror>)

add_library(pumice_private INTERFACE)
target_include_directories(pumice_private INTERFACE
    ${PROJECT_SOURCE_DIR}/engine ${PROJECT_BINARY_DIR}/generated)
target_include_directories(pumice_private SYSTEM INTERFACE ${PUMICE_VOLK_DIR})
target_compile_definitions(pumice_private INTERFACE
    VK_NO_PROTOTYPES $<$<BOOL:${PUMICE_CHECKED}>:PUMICE_CHECKED=1>)
target_link_libraries(pumice_private INTERFACE fmt::fmt nlohmann_json::nlohmann_json)
