using System.Text.Json;
using Weir.Configuration;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Configuration;

public sealed class WeirConfigTests
{
    private static readonly Dictionary<string, string> NoVariables = [];

    [Fact]
    public void Nothing_set_is_the_defaults() => WeirConfig.Parse("{}", NoVariables).ShouldBe(new WeirConfig(), new WithoutLists());

    [Fact]
    public void The_reference_file_lists_every_key_with_its_variable_and_default()
    {
        using var reference = JsonDocument.Parse(File.ReadAllText(Repository.PathOf("deploy/weir.reference.json")));

        var written = reference.RootElement.EnumerateObject()
            .Select(p => $"{p.Name} {p.Value.GetProperty("variable").GetString()} {p.Value.GetProperty("default").GetRawText()}");
        var read = WeirConfig.Keys()
            .Select(
            k => $"{k.Name} {k.Variable} {JsonSerializer.Serialize(k.Default is Uri url ? url.ToString().TrimEnd('/') : k.Default)}");

        written.ShouldBe(read);
    }

    [Fact]
    public void Every_row_of_the_reference_says_unit_and_effect()
    {
        using var reference = JsonDocument.Parse(File.ReadAllText(Repository.PathOf("deploy/weir.reference.json")));

        foreach (var row in reference.RootElement.EnumerateObject())
        {
            row.Value.GetProperty("unit").GetString().ShouldNotBeNullOrWhiteSpace(row.Name);
            row.Value.GetProperty("effect").GetString()!.Length.ShouldBeGreaterThan(10, row.Name);
        }
    }

    [Fact]
    public void A_variable_wins_over_the_file()
    {
        const string Json = """{ "mcp": { "maxDepth": 32, "callTimeoutSeconds": 5 }, /* why */ "egress": { "allow": ["a:1", "b"] }, }""";

        var config = WeirConfig.Parse(
            Json, new Dictionary<string, string> { ["WEIR_MCP_MAX_DEPTH"] = "16", ["WEIR_HTTP_ALLOWED_HOSTS"] = "x:1, y" });

        config.Mcp.MaxDepth.ShouldBe(16);
        config.Mcp.CallTimeoutSeconds.ShouldBe(5);
        config.Egress.Allow.ShouldBe(["a:1", "b"]);
        config.Http.AllowedHosts.ShouldBe(["x:1", "y"]);
    }

    [Fact]
    public void All_errors_are_reported_at_once()
    {
        const string Json = """
            { "mcp": { "maxDepth": 1000, "maxNameLength": "long", "maxDeepth": 3 }, "http": { "listen": "http://0.0.0.0:80", "allowedOrigins": "x" },
              "auth": { "jwtSecret": "short", "jwksUrl": "http://keys.example" }, "egress": { "allow": ["a/b"] } }
            """;

        var error = Should.Throw<ConfigException>(
            () => WeirConfig.Parse(Json, new Dictionary<string, string> { ["WEIR_TYPO"] = "1", ["WEIR_NODE_DATA"] = "x" }));

        error.Errors.ShouldBe(
        [
            "http.allowedOrigins (WEIR_HTTP_ALLOWED_ORIGINS): It wants an array of strings.",
            "http.listen (WEIR_HTTP_LISTEN): 0.0.0.0 is not a loopback address, and there is no TLS. Set http.insecure if a proxy in front "
                + "ends TLS.",
            "mcp.maxDepth (WEIR_MCP_MAX_DEPTH): \"1000\" is not a whole number between 8 and 128.",
            "mcp.maxNameLength (WEIR_MCP_MAX_NAME_LENGTH): \"long\" is not a whole number between 32 and 64.",
            "egress.allow (WEIR_EGRESS_ALLOW): \"a/b\" is not a host, nor host:port.",
            "auth.jwtSecret (WEIR_AUTH_JWT_SECRET): It is shorter than 32 characters, which HS256 wants at least.",
            "auth.jwksUrl (WEIR_AUTH_JWKS_URL): Keys that come without TLS prove nothing: it wants https.",
            "auth.issuer (WEIR_AUTH_ISSUER): It must be set where auth.jwksUrl is.",
            "mcp.maxDeepth: there is no such key.",
            "WEIR_TYPO: there is no such variable.",
        ], ignoreOrder: true);
    }

    [Theory]
    [InlineData("https://weir.example/", "https://weir.example")]
    [InlineData("https://weir.example:8443/below/", "https://weir.example:8443/below")]
    [InlineData("https://user@weir.example", null)]
    [InlineData("https://weir.example/?x", null)]
    [InlineData("https://weir.example/#x", null)]
    [InlineData("https://weir.example/a//b", null)]
    [InlineData("ftp://weir.example", null)]
    public void Links_begin_with_the_public_url_which_has_a_path_at_most(string url, string? expected)
    {
        WeirConfig Parse() =>
            WeirConfig.Parse(System.Text.Json.JsonSerializer.Serialize(new { http = new { publicUrl = url } }), NoVariables);
        if (expected is null)
        {
            Should.Throw<ConfigException>(Parse).Errors.ShouldHaveSingleItem().ShouldStartWith("http.publicUrl (WEIR_HTTP_PUBLIC_URL): ");
            return;
        }

        Parse().Http.PublicAddress.ShouldBe(expected);
    }

    [Theory]
    [InlineData("http://127.0.0.1:8080", "http://127.0.0.1:8080")]
    [InlineData("http://localhost:9000", "http://localhost:9000")]
    [InlineData("http://0.0.0.0:8080", null)]
    public void Without_a_public_url_up_takes_its_listener_where_only_this_machine_reaches_it(string listen, string? expected) =>
        new HttpConfig { Listen = new Uri(listen) }.WithUrl().PublicAddress.ShouldBe(expected);

    [Fact]
    public void A_bad_database_url_is_named_but_not_repeated()
    {
        var error = Should.Throw<ConfigException>(
            () => WeirConfig.Parse("{}", new Dictionary<string, string> { ["WEIR_DATABASE_URL"] = "mysql://weir:secret@host/x" }));

        error.Message.ShouldStartWith("database.url (WEIR_DATABASE_URL): ");
        error.Message.ShouldNotContain("secret");
    }

    [Fact]
    public void A_file_that_is_not_json_is_one_error() =>
        Should.Throw<ConfigException>(() => WeirConfig.Parse("{ mcp", NoVariables)).Message.ShouldContain("not JSON");

    // Records compare lists by reference; their text is compared instead.
    private sealed class WithoutLists : IEqualityComparer<WeirConfig>
    {
        public bool Equals(WeirConfig? x, WeirConfig? y) => JsonSerializer.Serialize(x) == JsonSerializer.Serialize(y);

        public int GetHashCode(WeirConfig obj) => 0;
    }
}
