# The step's image: a static binary, ansible-core, ssh, git and certificates, and nothing that only builds them.
#
#   docker build .                    the image
#   docker build --target full .      with the collections ansible.posix and community.general
#   docker build --target status-server .      the status server of examples/status-server, nothing else
#
# A release pins its bases by digest: --build-arg BASE=debian:trixie-slim@sha256:… (the tag alone moves with Debian's
# security updates, which is what everybody else wants). A builder that keeps one architecture per tag passes BASE for
# the image's architecture and BUILD_BASE for its own. Where downloads pass a proxy with an authority of its own, give
# its bundle as a build secret: --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt
ARG BASE=debian:trixie-slim
ARG BUILD_BASE=debian:trixie-slim

# --- The binary: built by Debian's own Rust, which links for both architectures without emulation.
FROM --platform=$BUILDPLATFORM ${BUILD_BASE} AS binary
ARG TARGETARCH=amd64
WORKDIR /build
COPY .ci/binary .ci/binary
# The manifest alone: a workspace is whole with its members' manifests, and the server's code must not make this anew.
COPY Cargo.toml Cargo.lock ./
COPY examples/status-server/Cargo.toml examples/status-server/
COPY src src
COPY benches benches
RUN --mount=type=secret,id=ca \
    .ci/binary "$TARGETARCH" /plugin-gitops-status

# --- What downloads Python packages for the two stages after it. CI takes it for the python image of the documents, too.
FROM ${BASE} AS pip
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-pip ca-certificates

# --- The files: Debian's packages unpacked into an empty tree. Installing them the usual way needs dpkg, perl and a
# shell in the image, which is half its size.
FROM pip AS files
# Supported until about November 2027: 2.21.0 is of May 2026, and a line is supported for 18 months. `.ci/supported` says
# when it no longer is. The other three are what filters of Ansible and of its usual collections import: password_hash,
# json_query, ipaddr.
ARG ANSIBLE_CORE=2.21.5
ARG LIBRARIES="passlib==1.7.4 jmespath==1.1.0 netaddr==1.3.0"
# Python and what it is linked to; ssh; git over http; a shell. The check below fails when a library is missing here.
ARG PACKAGES="base-files netbase busybox libc6 libc-bin libgcc-s1 gcc-14-base zlib1g \
    python3-minimal python3.13-minimal libpython3.13-minimal libpython3.13-stdlib libpython3-stdlib \
    libssl3t64 libzstd1 libexpat1 libffi8 libbz2-1.0 liblzma5 libsqlite3-0 libuuid1 \
    libncursesw6 libtinfo6 libreadline8t64 libcrypt1 libdb5.3t64 libnss-wrapper \
    openssh-client sshpass libselinux1 libpcre2-8-0 libedit2 libbsd0 libmd0 \
    libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 \
    git libcurl3t64-gnutls libgnutls30t64 libnettle8t64 libhogweed6t64 libgmp10 libp11-kit0 libtasn1-6 \
    libunistring5 libidn2-0 libpsl5t64 libssh2-1t64 librtmp1 libnghttp2-14 libnghttp3-9 libngtcp2-16 \
    libngtcp2-crypto-gnutls8 libbrotli1 libldap2 libsasl2-2"
RUN mkdir -p /packages /out/var/lib/dpkg/status.d /out/usr/bin /out/usr/sbin /out/usr/lib /out/usr/lib64 && cd /packages \
    && ln -s usr/bin usr/sbin usr/lib usr/lib64 /out/ \
    && apt-get download -qq $PACKAGES \
    && for package in *.deb; do \
         dpkg-deb --fsys-tarfile "$package" | tar -x -C /out --keep-directory-symlink \
           --exclude='./usr/share/doc*' --exclude='./usr/share/man*' --exclude='./usr/share/locale*' \
           --exclude='./usr/share/lintian*' --exclude='./usr/share/bug*' --exclude='./usr/share/perl*' \
           --exclude='./usr/share/git-core/contrib*' --exclude='./usr/share/bash-completion*' \
           --exclude='./usr/lib/systemd*' --exclude='./etc/systemd*' --exclude='./etc/init.d*' \
           --exclude='./etc/update-motd.d*' --exclude='./usr/lib/openssh/ssh-sk-helper' \
           --exclude='./usr/lib/openssh/ssh-keysign' \
           --exclude='./usr/lib/git-core/*email*' --exclude='./usr/lib/git-core/*.perl' \
           --exclude='./usr/lib/*/gconv*' --exclude='./usr/bin/localedef' --exclude='./usr/bin/git-shell' \
           --exclude='./usr/share/gitweb*' --exclude='./usr/bin/scalar' --exclude='./usr/lib/git-core/scalar' \
           --exclude='./usr/lib/git-core/git-daemon' --exclude='./usr/lib/git-core/git-http-backend' \
           --exclude='./usr/lib/git-core/git-imap-send' --exclude='./usr/lib/git-core/git-http-push' \
         && dpkg-deb --fsys-tarfile "$package" | tar -x -C /packages ./usr/share/doc \
         && dpkg-deb --field "$package" > "/out/var/lib/dpkg/status.d/${package%%_*}" || exit 1; \
       done \
    && dpkg-query --status ca-certificates > /out/var/lib/dpkg/status.d/ca-certificates \
    && cp -r /usr/share/doc/ca-certificates /packages/usr/share/doc/ \
    && for package in /out/var/lib/dpkg/status.d/*; do \
         mkdir -p "/out/usr/share/doc/${package##*/}" \
         && cp -L "/packages/usr/share/doc/${package##*/}/copyright" "/out/usr/share/doc/${package##*/}/" || exit 1; \
       done
# What the packages' scripts would do; scanners find the packages in status.d.
RUN cd /out \
    && for applet in $(chroot . busybox --list); do \
         [ -e usr/bin/$applet ] || [ -e usr/sbin/$applet ] || ln -s busybox usr/bin/$applet; \
       done \
    && mkdir -p etc/ssl/certs etc/ssh proc sys dev run tmp var/tmp root home \
    && chmod 1777 tmp var/tmp && chmod 0700 root \
    && cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ \
    && printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' > etc/passwd \
    && printf 'root:x:0:\nnogroup:x:65534:\n' > etc/group \
    && printf 'hosts: files dns\npasswd: files\ngroup: files\n' > etc/nsswitch.conf \
    && mkdir -p usr/lib/plugin-gitops-status \
    && ln -s ../$(basename "$(dirname "$(echo usr/lib/*/libnss_wrapper.so)")")/libnss_wrapper.so usr/lib/plugin-gitops-status/ \
    && rm -rf usr/share/busybox usr/share/git-core/templates/hooks usr/share/readline \
      usr/lib/python3*/*/test usr/lib/python3.13/idlelib usr/lib/python3.13/ensurepip usr/lib/python3.13/pydoc_data
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    pip install --quiet --no-cache-dir --break-system-packages --root-user-action ignore --no-compile --ignore-installed \
      --root /out "ansible-core==$ANSIBLE_CORE" $LIBRARIES
RUN cd /out \
    && rm -rf usr/local/lib/python3*/*/ansible_test usr/local/bin/ansible-test usr/local/share \
      usr/local/lib/python3*/*/passlib/tests usr/local/lib/python3*/*/netaddr/eui/*.txt \
    && chroot . python3 -m compileall -q -f --invalidation-mode unchecked-hash /usr/lib/python3.13 /usr/local/lib
# Every library that a program or a library here is linked to is here too.
RUN cd /out && export LANG=C.UTF-8 \
    && find usr -type f \( -perm /111 -o -name '*.so*' \) -exec sh -c 'head -c 4 "$1" | grep -q ELF' _ {} \; -print > /elf \
    && while read -r file; do \
         chroot . "$(cd / && find /out/usr/lib /out/usr/lib64 -name 'ld-linux-*.so.*' | head -n 1 | cut -c 5-)" --list "/$file" 2> /dev/null \
           | sed -n "s|.*not found.*|$file: &|p"; \
       done < /elf > /missing \
    && { ! grep . /missing; } \
    && chroot . ansible-playbook --version \
    && chroot . python3 -c 'import cryptography, jinja2, jmespath, netaddr, packaging, passlib.hash, resolvelib, yaml' \
    && rm -rf root/.ansible tmp/* && { ! find . -xdev -perm /6000 -type f | grep .; }

# --- Collections for those who want them in the image; the standard image gets them by `galaxy_requirements`.
FROM pip AS collections
ARG ANSIBLE=14.5.0
RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt \
    pip download --quiet --no-deps --no-cache-dir --dest /wheels "ansible==$ANSIBLE" \
    && mkdir -p /out && cd /out \
    && python3 -c 'import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); keep = ("ansible_collections/ansible/posix/", "ansible_collections/community/general/"); [z.extract(name) for name in z.namelist() if name.startswith(keep) and "/tests/" not in name and "/docs/" not in name]' /wheels/*.whl \
    && python3 -m compileall -q --invalidation-mode unchecked-hash . \
    && mkdir -p usr/share/ansible/collections && mv ansible_collections usr/share/ansible/collections/

# --- The status server, for a cluster that has none yet. It writes to /data and nowhere else.
FROM binary AS status-server-binary
ARG TARGETARCH=amd64
COPY examples/status-server examples/status-server
RUN --mount=type=secret,id=ca \
    .ci/binary "$TARGETARCH" /gitops-status-server gitops-status-server && mkdir /data

FROM scratch AS status-server
COPY --from=status-server-binary /gitops-status-server /gitops-status-server
COPY --from=status-server-binary --chown=65532:65532 /data /data
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/gitops-status-server"]
CMD ["--listen", "0.0.0.0:8080", "--file", "/data/status.db"]

FROM scratch AS standard
ARG VERSION=0.1.0
ARG REVISION=
LABEL org.opencontainers.image.title="plugin-gitops-status" \
      org.opencontainers.image.description="Tells a gitops-status-server whether a server is in sync with its repository" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=files /out /
COPY --from=binary /plugin-gitops-status /usr/local/bin/plugin-gitops-status
ENV PATH=/usr/local/bin:/usr/bin LANG=C.UTF-8
ENTRYPOINT ["/usr/local/bin/plugin-gitops-status"]

FROM standard AS full
COPY --from=collections /out /

# What is built where no target is named.
FROM standard
