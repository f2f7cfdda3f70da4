# SPDX-License-Identifier: Apache-2.0
# The pumice command, the lower-bound checker and the samples. Folders may be missing or empty.
find_package(CLI11 REQUIRED)

# The forecaster: a program a user would copy, shared by the command and the training sample.
file(GLOB forecaster_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/samples/forecaster/*.cpp)
add_library(forecaster STATIC ${forecaster_sources})
target_include_directories(forecaster PUBLIC ${PROJECT_SOURCE_DIR}/samples)
target_link_libraries(forecaster PUBLIC pumice_headers PRIVATE pumice_options nlohmann_json::nlohmann_json)

# Networks in well-known shapes, for measurements.
file(GLOB network_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/samples/networks/*.cpp)
add_library(networks STATIC ${network_sources})
target_include_directories(networks PUBLIC ${PROJECT_SOURCE_DIR}/samples)
target_link_libraries(networks PUBLIC pumice_headers PRIVATE pumice_options)

# A long run of mixed work, shared by `pumice bench soak` and a test.
add_library(soak STATIC tools/soak/soak.cpp)
target_include_directories(soak PUBLIC ${PROJECT_SOURCE_DIR}/tools)
target_link_libraries(soak PUBLIC pumice_headers PRIVATE pumice_options fmt::fmt)

# Tables as people have them, for `pumice forecast` and its tests. The library reads plain CSV alone,
# so that whoever links it needs no zlib.
find_package(ZLIB REQUIRED)
file(GLOB series_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/series/*.cpp)
add_library(series STATIC ${series_sources})
target_include_directories(series PUBLIC ${PROJECT_SOURCE_DIR}/tools ${PROJECT_SOURCE_DIR}/engine)
target_link_libraries(series PUBLIC pumice_headers PRIVATE pumice_options fmt::fmt ZLIB::ZLIB)

file(GLOB command_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/pumice/*.cpp)
if(command_sources)
    add_executable(pumice_command ${command_sources})
    set_target_properties(pumice_command PROPERTIES OUTPUT_NAME pumice
        INSTALL_RPATH $ORIGIN/../${CMAKE_INSTALL_LIBDIR})
    target_link_libraries(pumice_command PRIVATE forecaster networks series soak pumice_internal pumice_options
                                                 CLI11::CLI11 Threads::Threads)
    target_compile_definitions(pumice_command PRIVATE
        PUMICE_MODEL_DIR="${PROJECT_SOURCE_DIR}/samples/models/forecaster")
    install(TARGETS pumice_command RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# Checkers must not link the engine that they check: one recomputes the lower bound from a trace,
# one holds a plan's offsets against its input.
if(EXISTS ${PROJECT_SOURCE_DIR}/tools/lower_bound.cpp)
    add_executable(lower_bound tools/lower_bound.cpp)
    target_link_libraries(lower_bound PRIVATE pumice_options CLI11::CLI11
                                              nlohmann_json::nlohmann_json)
endif()
if(EXISTS ${PROJECT_SOURCE_DIR}/tools/verify_plan.cpp)
    add_executable(verify_plan tools/verify_plan.cpp)
    target_link_libraries(verify_plan PRIVATE pumice_options)
endif()

# Random programs of operators against a float64 interpreter, in every mode.
file(GLOB differential_ops_sources CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/tools/differential_ops/*.cpp)
add_executable(differential_ops ${differential_ops_sources})
target_include_directories(differential_ops PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(differential_ops PRIVATE pumice pumice_options CLI11::CLI11 fmt::fmt
                                               Threads::Threads)

# What torch.js's documentation shows of inference mode, a library so that tests can call it.
add_library(inference_modes_examples STATIC samples/inference_modes/examples.cpp)
target_include_directories(inference_modes_examples PUBLIC ${PROJECT_SOURCE_DIR}/samples)
target_link_libraries(inference_modes_examples PUBLIC pumice_headers PRIVATE pumice_options)

file(GLOB sample_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/samples/*.cpp)
foreach(source IN LISTS sample_sources)
    cmake_path(GET source STEM name)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE forecaster inference_modes_examples pumice pumice_options CLI11::CLI11
                                          nlohmann_json::nlohmann_json)
endforeach()

# The programs of docs/tutorial.md, which need the library alone.
file(GLOB tutorial_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/samples/tutorial/*.cpp)
foreach(source IN LISTS tutorial_sources)
    cmake_path(GET source STEM name)
    add_executable(tutorial_${name} ${source})
    target_link_libraries(tutorial_${name} PRIVATE pumice pumice_options Threads::Threads)
endforeach()

# Random autograd programs, shared by the tool that compares them with LibTorch and a test.
add_library(differential STATIC tools/differential/program.cpp tools/differential/generator.cpp
            tools/differential/compare.cpp tools/differential/shrink.cpp
            tools/differential/samples.cpp
            tools/differential/run_pumice.cpp)
target_include_directories(differential PUBLIC ${PROJECT_SOURCE_DIR}/tools)
target_link_libraries(differential PUBLIC pumice_headers PRIVATE pumice_options nlohmann_json::nlohmann_json)

# LibTorch's side of `pumice bench overhead`, where Debian's libtorch-dev is installed.
find_package(Torch QUIET)
if(Torch_FOUND)
    add_executable(overhead_libtorch tools/overhead_libtorch.cpp)
    target_link_libraries(overhead_libtorch PRIVATE ${TORCH_LIBRARIES})
    # LibTorch 1.13's own: its headers are no C++20 to clang 14, which clang-tidy needs.
    set_target_properties(overhead_libtorch PROPERTIES CXX_STANDARD 17)

    # LibTorch and Pumice meet in one program, but in no file: both have the namespaces torch, at
    # and c10.
    add_library(differential_libtorch STATIC tools/differential/run_libtorch.cpp)
    target_include_directories(differential_libtorch PUBLIC ${PROJECT_SOURCE_DIR}/tools)
    target_link_libraries(differential_libtorch PRIVATE ${TORCH_LIBRARIES})
    set_target_properties(differential_libtorch PROPERTIES CXX_STANDARD 17)
    add_executable(differential_autograd tools/differential/main.cpp)
    target_link_libraries(differential_autograd PRIVATE differential differential_libtorch
                                                        pumice pumice_options CLI11::CLI11)
endif()
