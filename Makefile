# The front door. Each target is a line; the work is in xtask/.
.DEFAULT_GOAL := help
.PHONY: help xtask setup images install uninstall run test check golden sim e2e sdks web pictures bench soak
XTASK = cargo run --quiet --package xtask --
PREFIX ?= /usr/local

# rustup installs Rust in a home directory, which sudo takes off PATH. Root then uses the toolchains of the user behind sudo.
INVOKER_HOME := $(if $(SUDO_USER),$(shell getent passwd '$(SUDO_USER)' | cut -d: -f6),$(HOME))
export PATH := $(PATH):$(INVOKER_HOME)/.cargo/bin
ifeq ($(wildcard $(HOME)/.rustup),)
ifneq ($(wildcard $(INVOKER_HOME)/.rustup),)
export RUSTUP_HOME ?= $(INVOKER_HOME)/.rustup
endif
endif

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## /  \1\t/p' $(MAKEFILE_LIST)

xtask:
	@command -v cargo >/dev/null || { echo "Rust is missing: install it with rustup (https://rustup.rs), then run the command again" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "A C compiler is missing: apt-get install gcc libc6-dev, then run the command again" >&2; exit 1; }
	@cargo build --package xtask

setup: xtask ## install what is missing (Debian packages), saying what for
	@$(XTASK) setup

images: setup ## build the guest kernel, initramfs and root filesystem
	@$(XTASK) images

install: images ## build a release and install it (PREFIX=/usr/local)
	@$(XTASK) install --prefix $(PREFIX)

uninstall: xtask ## remove an installed program and its images; data stays (PREFIX=/usr/local)
	@$(XTASK) uninstall --prefix $(PREFIX)

run: install ## the platform, running (LOCULE_DATA_DIR, LOCULE_LISTEN)
	exec $(PREFIX)/bin/locule up

test: setup ## every test, from laws to real microVMs (root)
	@$(XTASK) test

sim: setup ## simulate a fleet with faults (SEEDS=5000 seeds, or SEED=n alone; STEPS=n each)
	@$(XTASK) sim $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SEED),--seed $(SEED)) $(if $(STEPS),--steps $(STEPS))

e2e: setup ## only the tests that boot real microVMs
	@$(XTASK) test e2e

sdks: setup ## every version of the SDKs, by header and by host name
	@$(XTASK) test sdks

web: xtask ## develop the dashboard against a running platform (LOCULE_URL=http://127.0.0.1:8000), or against none (MOCK=1)
	@$(XTASK) web $(if $(MOCK),--mock)

pictures: setup ## take the pictures of the dashboard anew; look at each that changed (CHECK=1 compares all of them)
	@$(XTASK) pictures $(if $(CHECK),--check)

bench: setup ## measure speed on an idle machine and write docs/PERFORMANCE.md (QUICK=1 tries the bench itself)
	@$(XTASK) bench $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

soak: setup ## random work and kills for MINUTES=10, checked (SEED=s repeats, STUB=1 on the stub VMM)
	@$(XTASK) soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(STUB),--stub)

check: setup ## every gate: formatting, lints, docs, dependencies, words, sizes, import cycles
	@$(XTASK) check

golden: ## write every generated file anew
	@$(XTASK) golden
