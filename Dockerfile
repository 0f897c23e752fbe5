# Debian's Mosquitto with the plugin. Mount your configuration over
# /etc/mosquitto/conf.d, or over /etc/mosquitto as a whole; without one, every
# client is refused.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN rm -rf build && make && make install DESTDIR=/out

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates mosquitto \
 && rm -rf /var/lib/apt/lists/* \
 && printf '%s\n' \
    'listener 1883' \
    'allow_anonymous false' \
    'persistence true' \
    'persistence_location /var/lib/mosquitto/' \
    'log_dest stderr' \
    'include_dir /etc/mosquitto/conf.d' \
    > /etc/mosquitto/mosquitto.conf
COPY --from=build /out/ /
USER mosquitto
EXPOSE 1883
VOLUME /var/lib/mosquitto
CMD ["mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"]
