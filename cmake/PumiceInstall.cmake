# SPDX-License-Identifier: Apache-2.0
# find_package(Pumice CONFIG) gives Pumice::pumice. Only include/pumice is installed, nothing private.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Pumice)

install(TARGETS pumice EXPORT PumiceTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/pumice DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
# The model that `pumice forecast` loads unless told otherwise.
install(DIRECTORY samples/models/forecaster DESTINATION ${CMAKE_INSTALL_DATADIR}/pumice
        FILES_MATCHING PATTERN "*.json" PATTERN "*.safetensors")
install(EXPORT PumiceTargets NAMESPACE Pumice:: DESTINATION ${package_dir})

configure_package_config_file(cmake/PumiceConfig.cmake.in ${PROJECT_BINARY_DIR}/PumiceConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/PumiceConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/PumiceConfig.cmake
              ${PROJECT_BINARY_DIR}/PumiceConfigVersion.cmake DESTINATION ${package_dir})
