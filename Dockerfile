# The `cairn` command as an image: one static binary, nothing else to patch.
#
#   docker build -t cairn .
#   docker run -p 127.0.0.1:5000:5000 -v cairn:/data cairn registry serve --listen 0.0.0.0:5000 --data /data --open-to-everyone
#   docker run -p 5000:5000 -v cairn:/data -v ./registry:/etc/cairn:ro cairn registry serve --config /etc/cairn/registry.yaml
#
# Without configuration the registry is open to whoever reaches it, so beyond a machine it wants to be told that this is meant.
#
# BUILDER is any image with Rust 1.95, a C compiler and CA certificates; PROFILE is a cargo profile.
# SOURCE is the stage or image whose /image becomes the root: another one than `build` when the binary is there already.
ARG BUILDER=rust:1.95-bookworm
ARG SOURCE=build

FROM ${BUILDER} AS build
ARG PROFILE=dist
WORKDIR /src
COPY . .
# A named target keeps the flag away from build scripts and macros, which must stay dynamic.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --profile "${PROFILE}" --target "${target}" --package cairn --bin cairn \
 && mkdir -p /image/data /image/tmp /image/etc/ssl/certs \
 && cp target/"${target}"/*/cairn /image/cairn \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && chown -R 10001:10001 /image/data /image/tmp

FROM ${SOURCE} AS source

FROM scratch
COPY --from=source /image/ /
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 5000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["/cairn", "registry", "healthcheck"]
ENTRYPOINT ["/cairn"]
# A file at this place says who may do what (docs/registry-auth.md).
CMD ["registry", "serve", "--config", "/etc/cairn/registry.yaml", "--listen", "0.0.0.0:5000", "--data", "/data"]
