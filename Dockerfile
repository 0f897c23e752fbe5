# Debian's Mosquitto with the plugin: docker build --tag mosquitto-go-auth .
# How to run it, and to build it for other processors, is in conf/image.md.

# The machine that builds also compiles for other processors; on those that the image
# is for, nothing runs but the installation of Debian's packages. Builders older than
# BuildKit do not say what they run on: "linux" is what the machine itself is.
ARG BUILDPLATFORM=${BUILDPLATFORM:-linux}
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG TARGETARCH
ARG TARGETVARIANT
RUN set -e; \
    case $TARGETARCH$TARGETVARIANT in \
    "") triplet=$(gcc -print-multiarch) ;; \
    amd64*) triplet=x86_64-linux-gnu debian=amd64 ;; \
    arm64*) triplet=aarch64-linux-gnu debian=arm64 ;; \
    armv7) triplet=arm-linux-gnueabihf debian=armhf ;; \
    *) echo "it cannot be built for $TARGETARCH $TARGETVARIANT" >&2; exit 1 ;; \
    esac; \
    if [ "$triplet" != "$(gcc -print-multiarch)" ]; then \
        apt-get update; \
        apt-get install --yes --no-install-recommends \
            "gcc-$(echo "$triplet" | tr _ -)" "libc6-dev-$debian-cross"; \
    fi; \
    ln -s "/usr/bin/$triplet-gcc" /usr/local/bin/target-gcc
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION
RUN set -e; \
    export GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} CC=target-gcc; \
    libraries=$(target-gcc -print-multiarch)/mosquitto; \
    scripts/build plugin "/out/usr/lib/$libraries/go-auth.so"; \
    scripts/build command /out/usr/bin/go-auth; \
    ln -s go-auth.so "/out/usr/lib/$libraries/auth-plug.so"; \
    ln -s "$libraries" /out/usr/lib/mosquitto; \
    cd conf/image; \
    install -D -m 644 -t /out/etc/mosquitto mosquitto.conf; \
    install -D -m 644 -t /out/etc/mosquitto/conf.d conf.d/go-auth.conf

FROM debian:bookworm-slim
# The number of the user is the same in every build, so that files can be given to it.
RUN set -e; \
    groupadd --gid 1883 mosquitto; \
    useradd --uid 1883 --gid 1883 --no-create-home --home-dir /var/lib/mosquitto \
        --shell /usr/sbin/nologin mosquitto; \
    apt-get update; \
    apt-get install --yes --no-install-recommends ca-certificates mosquitto; \
    rm -rf /var/lib/apt/lists/*; \
    install -d /etc/mosquitto/users; \
    install -o mosquitto -g mosquitto -m 600 /dev/null /etc/mosquitto/users/passwords; \
    install -o mosquitto -g mosquitto -m 600 /dev/null /etc/mosquitto/users/acl
COPY --from=build /out/ /
# mosquitto; by number, so that Kubernetes can tell that it is not root.
USER 1883:1883
VOLUME /var/lib/mosquitto
EXPOSE 1883
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s CMD go-auth health || exit 1
CMD ["mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"]
