# SPDX-License-Identifier: MIT
# bazel/rules/proto/defs.bzl — @rules_proto//proto:defs.bzl
proto_lang_toolchain = native.proto_lang_toolchain
proto_library = native.proto_library
