# Build, test and install mosquitto-go-auth; `make help` lists the targets.

PREFIX ?= /usr

# Debian keeps a broker's plugins among the libraries of the architecture, and what
# its packages bring for zsh apart. Elsewhere, and below /usr/local, neither is so.
# A broker looks nowhere by itself: its configuration names the plugin by its path.
ifeq ($(PREFIX),/usr)
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null || dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || \
	dpkg-query -L "libc6:$$(dpkg --print-architecture 2>/dev/null)" 2>/dev/null | sed -n 's:^.*/lib/\([^/]*\)/libc\.so\.6$$:\1:p')
endif
PLUGINDIR ?= $(PREFIX)/lib/$(if $(MULTIARCH),$(MULTIARCH)/)mosquitto
BINDIR    ?= $(PREFIX)/bin
DOCDIR    ?= $(PREFIX)/share/doc/mosquitto-go-auth
MANDIR    ?= $(PREFIX)/share/man
BASHDIR   ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR    ?= $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISHDIR   ?= $(PREFIX)/share/fish/vendor_completions.d

.PHONY: all help check test sanitize soak storm demo demo-mysql guide-test image-test bench install uninstall release arm64-test service-test clean FORCE

## all         build build/go-auth.so and build/go-auth (the default)
all: build/go-auth.so build/go-auth

# Go knows best what is up to date.
build/go-auth.so: FORCE
	@scripts/build plugin $@

build/go-auth: FORCE
	@scripts/build command $@

## check       look for faults without running anything
check:
	@files=$$(gofmt -l .) && test -z "$$files" || { echo "gofmt would change: $$files"; exit 1; }
	go vet ./...
	@if command -v shellcheck >/dev/null; then shellcheck scripts/* .ci/run; fi

## test        install what is missing, then run all tests, on all brokers
test: export GOAUTH_NO_SKIP = 1
test: export GOAUTH_PLUGIN = $(CURDIR)/build/go-auth.so
test:
	scripts/setup
	scripts/brokers
	scripts/clients
	$(MAKE) all check
	scripts/services sh -c 'go test -race $$(go list ./... | grep -v /test) && go test -race -count=1 ./test/...'
	$(MAKE) sanitize

## sanitize    test the C part with the sanitizers of gcc
sanitize:
	scripts/sanitize

## soak        log in and ask for a minute, and show what is in use
soak: export GOAUTH_SOAK = 1
soak: export GOAUTH_PLUGIN = $(CURDIR)/build/go-auth.so
soak: build/go-auth.so
	scripts/brokers
	scripts/services go test -count=1 -v -timeout 5m ./test/soak

## demo        show logins and refusals with users in files
demo:
	scripts/demo

## demo-mysql  show the same with users in a MariaDB
demo-mysql:
	scripts/demo-mysql

## image-test  build the image and run it, without a registry (as root, up to 20 minutes)
image-test:
	scripts/image-test

## storm       storms of logins with real clients, on a quiet machine (6 minutes)
storm: export GOAUTH_STORM = 1
storm: export GOAUTH_PLUGIN = $(CURDIR)/build/go-auth.so
storm: build/go-auth.so
	scripts/setup
	scripts/brokers
	scripts/clients
	scripts/services go test -count=1 -v -timeout 10m ./test/storm

## guide-test  do what conf/guide.md and conf/coming-from.md say, in a fresh Debian 12 and 13 (as root)
guide-test:
	scripts/guide-test

## bench       measure beside Mosquitto's own files, and draw test/bench/storm.svg (16 minutes)
bench: export GOAUTH_PLUGIN = $(CURDIR)/build/go-auth.so
bench:
	scripts/setup
	scripts/brokers
	$(MAKE) build/go-auth.so
	rm -f build/storm.csv
	go run ./test/bench -csv build/storm.csv all; missed=$$?; \
	go -C test/bench/plot run . $(CURDIR)/build/storm.csv $(CURDIR)/test/bench/storm.svg && exit $$missed

## install     put what was built, examples and documents under DESTDIR and PREFIX (/usr)
install uninstall: export DESTDIR := $(DESTDIR)
install uninstall: export PLUGINDIR := $(PLUGINDIR)
install uninstall: export BINDIR := $(BINDIR)
install uninstall: export DOCDIR := $(DOCDIR)
install uninstall: export MANDIR := $(MANDIR)
install uninstall: export BASHDIR := $(BASHDIR)
install uninstall: export ZSHDIR := $(ZSHDIR)
install uninstall: export FISHDIR := $(FISHDIR)
install:
	@scripts/install install

## uninstall   remove what install put there, and nothing else
uninstall:
	@scripts/install uninstall

## release     pack what install lays, built for systems as old as Debian 11 (5 minutes, as root)
release:
	scripts/release

## arm64-test  run the demo with a plugin for arm64, in qemu (5 minutes)
arm64-test:
	scripts/arm64-test

## service-test  do what conf/running.md says, in a Debian that systemd runs (3 minutes, as root)
service-test: all
	scripts/service-test

## clean       remove build/, the brokers in it too
clean:
	rm -rf build

## help        show this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
