# The front door. Each target is a line; the work is in xtask/.
.DEFAULT_GOAL := help
.PHONY: help setup images run test check golden e2e
XTASK = cargo run --quiet --package xtask --

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## /  \1\t/p' $(MAKEFILE_LIST)

setup: ## install what is missing (Debian packages), saying what for
	@$(XTASK) setup

images: setup ## build the guest kernel, initramfs and root filesystem
	@$(XTASK) images

run: export CARGO_TARGET_DIR := $(CURDIR)/target
run: images ## the platform, running (LOCULE_DATA_DIR, LOCULE_LISTEN)
	cargo build --release --package locule
	exec target/release/locule up

test: setup ## every test, from laws to real microVMs (root)
	@$(XTASK) test

e2e: setup ## only the tests that boot real microVMs
	@$(XTASK) test e2e

check: setup ## formatting, lints, docs, dependencies, spelling, sizes
	@$(XTASK) check

golden: ## write every generated file anew
	@$(XTASK) golden
