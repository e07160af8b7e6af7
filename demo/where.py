"""Where the company is: the addresses that demo/up has written, unless the environment says others."""
import os
import ssl

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def address_of(name):
    """SHOP_URL, MES_URL …: from the environment, else of DEMO_DATA, else of the folders that demo/up takes by itself. None where it is not up."""
    if os.environ.get(name):
        return os.environ[name]
    folders = [os.environ["DEMO_DATA"]] if os.environ.get("DEMO_DATA") else [os.path.join(ROOT, "demo-data"), "/var/tmp/filigree-demo"]
    for folder in folders:
        try:
            with open(os.path.join(folder, "env"), encoding="utf-8") as file:
                for line in file:
                    if line.startswith(f"{name}="):
                        return line.rstrip("\n").split("=", 1)[1].strip("'\"")
        except OSError:
            continue
    return None


def trust():
    """Whom to believe where TLS is on (demo/up --tls): an ssl.SSLContext; else None."""
    file = address_of("TLS_CA")
    return ssl.create_default_context(cafile=file) if file else None
