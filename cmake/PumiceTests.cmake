# SPDX-License-Identifier: Apache-2.0
# ctest runs the main processes of tools/test; that adds set-up, the other jobs and the sum at the end.
file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/*_test.cpp
     ${PROJECT_SOURCE_DIR}/tests/support/*.cpp)
list(FILTER test_sources EXCLUDE REGEX "/tests/install/")

if(BUILD_TESTING AND test_sources AND EXISTS ${PROJECT_SOURCE_DIR}/tests/main.cpp)
    find_package(doctest REQUIRED)
    find_package(rapidcheck REQUIRED)
    add_executable(pumice_tests ${test_sources} tests/main.cpp)
    target_include_directories(pumice_tests PRIVATE tests)
    target_compile_definitions(pumice_tests PRIVATE
        PUMICE_TEST_DATA_DIR="${PROJECT_SOURCE_DIR}/tests/data"
        PUMICE_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    target_link_libraries(pumice_tests PRIVATE differential inference_modes_examples forecaster
                                               networks series soak pumice_internal pumice_options
                                               doctest::doctest rapidcheck Threads::Threads)
    # Calls that must throw are written as statements.
    target_compile_options(pumice_tests PRIVATE -Wno-unused-result ${PUMICE_TESTS_OPTIONS})

    # Plants defects through the real recorder; tools/test expects the layer to report each.
    add_executable(gate_planted tests/gate/planted.cpp)
    target_include_directories(gate_planted PRIVATE tests)
    target_link_libraries(gate_planted PRIVATE pumice_internal pumice_options)

    # Ends its process in many ways; tests/tools/leave_test.py looks at how.
    add_executable(gate_leave tests/gate/leave.cpp)
    target_link_libraries(gate_leave PRIVATE pumice pumice_options Threads::Threads)

    # Threads and coroutines against a model of the modes; tools/test runs it under tsan.
    add_executable(gate_stress tests/gate/stress.cpp)
    target_link_libraries(gate_stress PRIVATE pumice pumice_options Threads::Threads)

    # Counts what operators allocate in steady state. It defines malloc, as sanitizers do.
    if(NOT PUMICE_SANITIZE)
        add_executable(gate_allocations tests/gate/allocations.cpp)
        target_link_libraries(gate_allocations PRIVATE pumice_internal pumice_options)
    endif()

    foreach(driver lavapipe swiftshader)
        add_test(NAME pumice_tests.${driver}
                 COMMAND ${PROJECT_SOURCE_DIR}/tools/with-driver ${driver} --validate
                         $<TARGET_FILE:pumice_tests>)
    endforeach()
endif()

if(BUILD_TESTING)
    add_test(NAME tools_python WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
             COMMAND ${Python3_EXECUTABLE} -m unittest discover -s tests/tools -p "*_test.py")
    add_test(NAME check_layers WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
             COMMAND ${Python3_EXECUTABLE} tools/check_layers.py)
    add_test(NAME install_consumer WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
             COMMAND tests/install/run ${PROJECT_BINARY_DIR})
endif()
