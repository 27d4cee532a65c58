# The front door. Each target is a line; the work is in xtask/.
.DEFAULT_GOAL := help
.PHONY: help setup images run test check golden e2e bench soak
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

bench: setup ## measure speed on an idle machine and write docs/PERFORMANCE.md (QUICK=1 tries the bench itself)
	@$(XTASK) bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

soak: setup ## random work and kills for MINUTES=10, checked (SEED=s repeats, STUB=1 on the stub VMM)
	@$(XTASK) soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(STUB),--stub)

check: setup ## formatting, lints, docs, dependencies, spelling, sizes
	@$(XTASK) check

golden: ## write every generated file anew
	@$(XTASK) golden
