"""`python -m cloud.api`: print the OpenAPI description."""

import json
import sys

from cloud.api.app import bare

if __name__ == "__main__":
    json.dump(bare().openapi(), sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")
