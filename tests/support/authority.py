"""A private certificate authority, made with the openssl command."""

import subprocess
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


class Authority:
    """Makes certificates that clients who trust `certificate` accept."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.certificate, self._key = directory / "ca.pem", directory / "ca.key"
        self._openssl(
            "req",
            "-x509",
            *_NEW_KEY,
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=authority",
            "-addext",
            "keyUsage=critical,keyCertSign",
            "-keyout",
            self._key,
            "-out",
            self.certificate,
        )

    def certify(self, name: str, *alternatives: str, encrypted: bool = False) -> tuple[Path, Path]:
        """Files of a certificate for `alternatives` (IP:..., DNS:...) and of its key."""
        certificate, key, request = (self._directory / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        hidden = ["-passout", "pass:secret"] if encrypted else ["-nodes"]
        self._openssl("req", *_NEW_KEY, *hidden, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extensions = self._directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={','.join(alternatives) or 'DNS:' + name}\n")
        self._openssl(
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            self.certificate,
            "-CAkey",
            self._key,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            extensions,
            "-out",
            certificate,
        )
        return certificate, key

    def _openssl(self, *arguments: str | Path) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
