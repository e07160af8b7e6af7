"""A certificate authority in a folder, made by openssl: what the server must take need not come from itself."""
import os
import shutil
import subprocess


class Authority:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.file, self.key = self.path(f"{name}.pem"), self.path(f"{name}.key")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                     "-keyout", self.key, "-out", self.file)

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def issue(self, name, names, key="ec", days=2):
        """Certificate and key for a subject, with its alternative names. Negative days: it has run out."""
        own, asked, signed, extra = (self.path(f"{self.name}-{name}.{end}") for end in ("key", "csr", "pem", "ext"))
        with open(extra, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={names}\n")
        kind = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1") if key == "ec" else (key,)
        self.openssl("req", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", own, "-out", asked)
        self.openssl("x509", "-req", "-in", asked, "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", str(days), "-extfile", extra,
                     "-out", signed)
        return signed, own

    def revoke(self, *certificates):
        """A list of revoked certificates, in PEM, with these on it and no others."""
        config, base, made = (self.path(f"{self.name}-{end}") for end in ("ca.cnf", "ca.db", "revoked.pem"))
        with open(config, "w", encoding="ascii") as file:
            file.write(f"[ca]\ndefault_ca=own\n[own]\ndatabase={base}\ncertificate={self.file}\nprivate_key={self.key}\ndefault_md=sha256\n"
                       "default_crl_days=1\n")
        with open(base, "w", encoding="ascii"):
            pass
        for certificate in certificates:
            self.openssl("ca", "-config", config, "-revoke", certificate)
        self.openssl("ca", "-config", config, "-gencrl", "-out", made)
        with open(made, encoding="ascii") as file:
            return file.read()

    def as_the_systems(self, name):
        """What to start a program by, so that to it this authority is all that the system trusts. None where the kernel does not let us."""
        folder = self.path(name)
        os.mkdir(folder)
        number = subprocess.run(["openssl", "x509", "-in", self.file, "-noout", "-hash"], check=True, capture_output=True, text=True).stdout.strip()
        for own in (f"{number}.0", "ca-certificates.crt"):
            shutil.copy(self.file, os.path.join(folder, own))
        wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$0" /etc/ssl/certs && exec "$@"', folder]
        is_let = shutil.which("unshare") and subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode == 0
        return wrapper if is_let else None
