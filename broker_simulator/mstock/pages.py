"""Bodies that are no answer: the gateway's HTML pages and other things a client may be handed."""

from __future__ import annotations

import functools
import gzip
from typing import Final

# The shape of the page of 1.8: a bot manager's script before the usual 502 page, all its markers.
BAD_GATEWAY: Final = """<html>
<head>
<title>502 Bad Gateway</title>
<script type="text/javascript">
var __uzdbm_1 = "5d2f7a50-1c3b-4e0e-9a57-3a1f0c2b7e10";
var __uzdbm_2 = "NWQyZjdhNTAtMWMzYi00ZTBlLTlhNTctMTI3LjAuMC4x";
(function () {
  var node = document.createElement("script");
  node.className = "SSJSConnectorObj";
  node.async = 1;
  node.src = "/18f5227b-e27b-445a-a53f-f845fbe69b40/stormcaster.js";
  window.ssConf = window.ssConf || function (key, value) { window[key] = value; };
  ssConf("c1","https://api.mstock.trade");
  ssConf("c3", "c99a4269-161c-4242-a3f0-28d44fa6ce24");
  ssConf("au", "validate.perfdrive.com");
  document.getElementsByTagName("head")[0].appendChild(node);
})();
</script>
</head>
<body>
<center><h1>502 Bad Gateway</h1></center>
<hr><center>gateway</center>
</body>
</html>
"""

_PLAIN: Final = """<html>
<head><title>{title}</title></head>
<body>
<center><h1>{title}</h1></center>
</body>
</html>
"""

SERVICE_UNAVAILABLE: Final = _PLAIN.format(title="503 Service Temporarily Unavailable")
GATEWAY_TIMEOUT: Final = _PLAIN.format(title="504 Gateway Time-out")
BLANK_PAGE: Final = _PLAIN.format(title="mStock")


def garbage(size: int) -> bytes:
    """Return `size` bytes that are neither UTF-8 nor JSON, the same ones every time."""
    return (bytes(range(128, 256)) * (size // 128 + 1))[:size]


@functools.lru_cache(maxsize=2)
def gzip_bomb(megabytes: int) -> bytes:
    """Return a small gzip body that unpacks to `megabytes` of blanks and a valid JSON object."""
    return gzip.compress(b" " * (megabytes << 20) + b"{}", compresslevel=9, mtime=0)
