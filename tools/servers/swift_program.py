"""swift_program.py DIR PROGRAM ARGUMENT...: runs one of Swift's programs with DIR/swift.conf, where they would all read
/etc/swift/swift.conf: with hashes and storage policies of the folder's own."""
import runpy
import shutil
import sys

from swift.common.storage_policy import reload_storage_policies
from swift.common.utils import set_swift_dir

if __name__ == "__main__":
    set_swift_dir(sys.argv[1])
    reload_storage_policies()
    sys.argv = sys.argv[2:]
    runpy.run_path(shutil.which(sys.argv[0]), run_name="__main__")
