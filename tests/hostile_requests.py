"""More than two hundred addresses and names that try to get where they should not."""

LOCAL_HOSTS = (
    "localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.1", "127.0.1", "127.255.255.254",
    "0.0.0.0", "0", "0x7f000001", "0x7f.0.0.1", "017700000001", "0177.0.0.1", "2130706433",
    "127.0.0.1.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]",
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.1.254",
    "169.254.169.254", "169.254.0.1", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "0xa9fea9fe", "2852039166",
    "0251.0376.0251.0376",
    "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "239.255.255.255",
    "240.0.0.1", "255.255.255.255", "[ff02::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "[64:ff9b::a9fe:a9fe]", "metadata.google.internal", "foo.localhost", "printer.local",
    "host.internal", "intranet", "db", "router.localdomain", "192.0.2.1", "198.51.100.1",
    "203.0.113.1", "[2001:db8::1]", "[::127.0.0.1]",
)  # fmt: skip

URLS = (
    *(f"http://{host}/a.png" for host in LOCAL_HOSTS),
    *(f"https://{host}:8000/v1/videos" for host in LOCAL_HOSTS[:40]),
    "file:///etc/passwd", "file://localhost/etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd",
    "ftp://example.com/a.png", "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:11211/stats",
    "ldap://127.0.0.1/", "jar:http://127.0.0.1!/a", "data:text/html,<script>", "data:,x",
    "javascript:alert(1)", "concat:/etc/passwd", "pipe:0", "subfile,,start,0,end,9,,:/etc/passwd",
    "//127.0.0.1/a.png", "/etc/passwd", "../../etc/passwd", "C:\\boot.ini", "\\\\host\\share",
    "http://user:pw@127.0.0.1/", "http://example.com@127.0.0.1/", "http://127.0.0.1#@example.com/",
    "http://127.0.0.1\\@example.com/", "http:///a.png", "http://", "http://:80/", "http://[::1",
    "http://exa mple.com/", "http://example.com:99999/", "http://example.com:port/",
    "http://127.0.0.1%00.example.com/", "http://%31%32%37.0.0.1/", "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/", "http://example.com\r\nHost: 127.0.0.1/", "hTTp://127.0.0.1/",
    "data:image/png;base64,!!!!", "data:image/png;base64,", "data:image/svg+xml;base64,PHN2Zz4=",
)  # fmt: skip

NAMES = (
    "../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "....//....//etc",
    "/etc/passwd", "%2fetc%2fpasswd", "..\\..\\windows", "%5c..%5c", "video_../../x", ".", "..",
    "~root", "$HOME", "$(id)", "`id`", "; ls", "| cat /etc/passwd", "%00", "video_%00", "a" * 5000,
    "video_" + "0" * 32, "video_" + "0" * 31, "VIDEO_" + "0" * 32, "video_" + "g" * 32,
    "' or 1=1 --", '" or ""="', "1; drop table videos", "%27%20or%201=1", "video_*", "video_%25",
    "video_%", "*", "?", "file:///etc/passwd", "http://127.0.0.1", "con", "nul", "aux.mp4",
    "%c0%ae%c0%ae/", "%u002e%u002e", "\u202e4pm.oediv", "ﬁle", "🎬", "edits", "extensions",
    "characters", "video_0.1", "video_" + "0" * 32 + ".1", "video_" + "0" * 32 + "/../x",
    "-rf", "--help", "<script>", "{{7*7}}", "${7*7}", "%0d%0aset-cookie:x", "..;/", "..%00/",
    "%ff%fe", "%80", "/proc/self/environ", "..%252f..%252fetc%252fpasswd", "/dev/zero",
    "%2e%2e%2f%2e%2e%2fapp.db", "..././..././etc/passwd", "files/../../keys",
)  # fmt: skip
