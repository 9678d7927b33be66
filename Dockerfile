# The `cairn` command as an image, and the agent as another (`--target agent`): one static binary, nothing else to patch.
#
#   docker build -t cairn .
#   docker build -t cairn-agent --target agent .
#   docker run -p 127.0.0.1:5000:5000 -v cairn:/data cairn registry serve --listen 0.0.0.0:5000 --data /data --open-to-everyone
#   docker run -p 5000:5000 -v cairn:/data -v ./registry:/etc/cairn:ro cairn registry serve --config /etc/cairn/registry.yaml
#
# Without configuration the registry is open to whoever reaches it, so beyond a machine it wants to be told that this is meant.
#
# BUILDER is any image with Rust 1.95, a C compiler and CA certificates; PROFILE is a cargo profile.
# SOURCE and AGENT_SOURCE are the stages or images whose /image becomes the root: others than `build` and `agent-build` when the
# binary is there already.
ARG BUILDER=rust:1.95-bookworm
ARG SOURCE=build
ARG AGENT_SOURCE=agent-build

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

# The agent is built for size and little memory; what it writes it writes to the cluster's API server.
FROM ${BUILDER} AS agent-build
ARG AGENT_PROFILE=agent
WORKDIR /src
COPY . .
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --locked --profile "${AGENT_PROFILE}" --target "${target}" --package cairn-agent --bin cairn-agent \
 && mkdir -p /image/etc/ssl/certs \
 && cp target/"${target}"/*/cairn-agent /image/cairn-agent \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM ${AGENT_SOURCE} AS agent-source

FROM scratch AS agent
COPY --from=agent-source /image/ /
USER 10001:10001
ENV MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072
EXPOSE 8080
ENTRYPOINT ["/cairn-agent"]
CMD ["run", "--config", "/etc/cairn/agent/config.json"]

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
