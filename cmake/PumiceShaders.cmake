# SPDX-License-Identifier: Apache-2.0
# shaders/ -> generated/vk/kernels.{h,cpp} and kernels/*.h, one for each .comp file. The cache may be shared by several build folders.
set(PUMICE_SHADER_CACHE ${PROJECT_BINARY_DIR}/shader-cache
    CACHE PATH "Folder of compiled shader modules, named by content")

option(PUMICE_COUNT_LOOPS "Kernels count their loops and spoil results past the bound" OFF)

file(GLOB_RECURSE shader_files CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/shaders/*.comp ${PROJECT_SOURCE_DIR}/shaders/*.glsl)
set(PUMICE_KERNELS_H ${PROJECT_BINARY_DIR}/generated/vk/kernels.h)
set(PUMICE_KERNELS_CPP ${PROJECT_BINARY_DIR}/generated/vk/kernels.cpp)
set(PUMICE_ITERATIONS_H ${PROJECT_BINARY_DIR}/generated/vk/iterations.h)
set(PUMICE_ITERATIONS_CPP ${PROJECT_BINARY_DIR}/generated/vk/iterations.cpp)
set(kernel_headers ${PROJECT_BINARY_DIR}/generated/vk/kernels/shared.h)
foreach(shader_file IN LISTS shader_files)
    if(shader_file MATCHES "([^/]+)/([^/]+)\\.comp$")
        list(APPEND kernel_headers
             ${PROJECT_BINARY_DIR}/generated/vk/kernels/${CMAKE_MATCH_1}_${CMAKE_MATCH_2}.h)
    endif()
endforeach()
add_custom_command(
    OUTPUT ${PUMICE_KERNELS_H} ${PUMICE_KERNELS_CPP}
           ${PUMICE_ITERATIONS_H} ${PUMICE_ITERATIONS_CPP} ${kernel_headers}
    COMMAND ${Python3_EXECUTABLE} tools/build_shaders.py
            --shaders shaders --out ${PROJECT_BINARY_DIR}/generated
            --cache ${PUMICE_SHADER_CACHE}
            --glslang ${PUMICE_GLSLANG} --spirv-val ${PUMICE_SPIRV_VAL}
            $<$<BOOL:${PUMICE_COUNT_LOOPS}>:--count-loops>
    DEPENDS ${shader_files} tools/build_shaders.py tools/kernel_contract.py
            tools/kernel_source.py tools/loop_bounds.py tools/spirv_reflect.py
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    COMMAND_EXPAND_LISTS
    COMMENT "Shaders"
    VERBATIM)
