# Build, test and install mosquitto-go-auth; `make help` lists the targets.

PREFIX ?= /usr

# Debian keeps a broker's plugins among the libraries of the architecture. A
# system without such a directory leaves the middle part out.
MULTIARCH := $(shell dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch 2>/dev/null)
PLUGINDIR ?= $(PREFIX)/lib/$(if $(MULTIARCH),$(MULTIARCH)/)mosquitto
BINDIR    ?= $(PREFIX)/bin
DOCDIR    ?= $(PREFIX)/share/doc/mosquitto-go-auth
MANDIR    ?= $(PREFIX)/share/man
BASHDIR   ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR    ?= $(PREFIX)/share/zsh/vendor-completions
FISHDIR   ?= $(PREFIX)/share/fish/vendor_completions.d

.PHONY: all help check test sanitize soak storm demo demo-mysql image-test bench install uninstall clean FORCE

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

## storm       storms of logins with real clients, on a quiet machine (3 minutes)
storm: export GOAUTH_STORM = 1
storm: export GOAUTH_PLUGIN = $(CURDIR)/build/go-auth.so
storm: build/go-auth.so
	scripts/setup
	scripts/brokers
	scripts/clients
	scripts/services go test -count=1 -v -timeout 10m ./test/storm

## bench       measure beside Mosquitto's own files, and draw test/bench/storm.svg (15 minutes)
bench: export GOAUTH_PLUGIN = $(CURDIR)/build/go-auth.so
bench:
	scripts/setup
	scripts/brokers
	$(MAKE) build/go-auth.so
	go run ./test/bench -csv build/storm.csv all
	go -C test/bench/plot run . $(CURDIR)/build/storm.csv $(CURDIR)/test/bench/storm.svg

## install     copy what was built under DESTDIR and PREFIX (/usr)
install:
	@test -e build/go-auth.so -a -e build/go-auth || { echo "nothing to install yet: run make first"; exit 1; }
	install -d $(DESTDIR)$(PLUGINDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(DOCDIR)/examples
	install -m 644 build/go-auth.so $(DESTDIR)$(PLUGINDIR)/go-auth.so
	ln -sf go-auth.so $(DESTDIR)$(PLUGINDIR)/auth-plug.so
	install -m 755 build/go-auth $(DESTDIR)$(BINDIR)/go-auth
	install -m 644 conf/examples/*.conf $(DESTDIR)$(DOCDIR)/examples
	install -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	build/go-auth man | install -m 644 /dev/stdin $(DESTDIR)$(MANDIR)/man1/go-auth.1
	build/go-auth completion bash | install -m 644 /dev/stdin $(DESTDIR)$(BASHDIR)/go-auth
	build/go-auth completion zsh | install -m 644 /dev/stdin $(DESTDIR)$(ZSHDIR)/_go-auth
	build/go-auth completion fish | install -m 644 /dev/stdin $(DESTDIR)$(FISHDIR)/go-auth.fish

## uninstall   remove what install copied
uninstall:
	rm -f $(DESTDIR)$(PLUGINDIR)/go-auth.so $(DESTDIR)$(PLUGINDIR)/auth-plug.so $(DESTDIR)$(BINDIR)/go-auth
	rm -f $(DESTDIR)$(MANDIR)/man1/go-auth.1 $(DESTDIR)$(BASHDIR)/go-auth $(DESTDIR)$(ZSHDIR)/_go-auth $(DESTDIR)$(FISHDIR)/go-auth.fish
	rm -rf $(DESTDIR)$(DOCDIR)

## clean       remove build/, the brokers in it too
clean:
	rm -rf build

## help        show this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
