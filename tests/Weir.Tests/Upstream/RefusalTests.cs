using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Weir.Mcp;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Upstream;

namespace Weir.Tests.Upstream;

/// <summary>
/// Servers that refuse, redirect, or answer with something else: each fault has a cause of its own, and no text of theirs is shown.
/// </summary>
public sealed class RefusalTests(RunningWeir weir) : IClassFixture<RunningWeir>
{
    private const string Secret = "secret-of-the-server";

    public static TheoryData<string, string> Refusals => new()
    {
        { "401", "unauthorized" },
        { "403", "access_denied" },
        { "404", "endpoint_not_found" },
        { "410", "endpoint_not_found" },
        { "429", "rate_limited" },
        { "500", "server_error" },
        { "503", "server_unavailable" },
        { "301", "redirected" },
        { "307", "redirected" },
        { "418", "http_error" },
        { "html", "not_mcp" },
        { "nothing", "protocol_error" },
        { "json 401", "unauthorized" },
        { "json 503", "server_unavailable" },
        { "json 404", "endpoint_not_found" },
        { "json 200", "protocol_error" },
        { "rpc 401", "unauthorized" },
        { "rpc 429", "rate_limited" },
    };

    public static TheoryData<string> MalformedErrors =>
    [
        """{"code":"E_SECRET","message":"secret-of-the-server"}""",
        """{"code":1.5,"message":"secret-of-the-server"}""",
        """{"code":1e400,"message":"secret-of-the-server"}""",
        """{"code":99999999999,"message":"secret-of-the-server"}""",
        """{"code":null,"message":"secret-of-the-server"}""",
        """{"code":-32000}""",
        """{"code":-32000,"message":{"text":"secret-of-the-server"} }""",
        """{"message":"secret-of-the-server"}""",
        """{}""",
        "[]",
        "true",
        "\"secret-of-the-server\"",
    ];

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task R13_a_call_that_its_server_refuses_says_why_and_quotes_nothing(string fault, string cause)
    {
        await using var server = await ServerAsync(fault);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        var answer = await Raw().CallAsync(name + "__echo");
        answer.Status.ShouldBe(HttpStatusCode.OK);
        answer.ErrorCode.ShouldBe(1013, answer.Body);
        answer.ErrorMessage.ShouldContain(name);
        var data = answer.Json.GetProperty("error").GetProperty("data");
        data.GetProperty("weir").GetString().ShouldBe("WR013");
        data.GetProperty("cause").GetString().ShouldBe(cause, answer.Body);
        (answer.Body + answer.Headers).ShouldNotContain(Secret);
        answer.Headers.Contains("WWW-Authenticate").ShouldBeFalse();
        server.Count("tools/call").ShouldBe(1);
    }

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task R13_a_server_that_cannot_be_deployed_says_why_in_its_last_error_code(string fault, string cause)
    {
        await using var server = await ScriptedServer.StartAsync((http, request) => FailAsync(http, request, fault));
        await FailsAsync(server.Url, cause);
    }

    [Fact]
    public async Task R13_a_server_that_is_not_there_and_one_without_TLS_are_told_apart()
    {
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        await FailsAsync(new Uri($"http://127.0.0.1:{port}/mcp"), "connection_refused");

        await using var plain = await ScriptedServer.StartAsync((http, _) => ScriptedServer.WriteAsync(http, "{}"));
        await FailsAsync(new UriBuilder(plain.Url) { Scheme = "https" }.Uri, "tls_failed");

        await using var dropping = await ScriptedServer.StartAsync((http, _) =>
        {
            http.Abort();
            return Task.CompletedTask;
        });
        await FailsAsync(dropping.Url, "connection_failed");
    }

    [Theory]
    [InlineData(SocketError.HostNotFound, "name_not_resolved")]
    [InlineData(SocketError.TryAgain, "name_not_resolved")]
    [InlineData(SocketError.ConnectionRefused, "connection_refused")]
    [InlineData(SocketError.TimedOut, "timed_out")]
    [InlineData(SocketError.HostUnreachable, "connection_failed")]
    public void R13_why_there_is_no_connection_is_read_of_the_socket(SocketError error, string cause) =>
        ConnectionFailures.ToException(new HttpRequestException("x", new SocketException((int)error))).Cause.Name().ShouldBe(cause);

    [Theory]
    [MemberData(nameof(MalformedErrors))]
    public async Task R13_a_malformed_error_of_a_server_is_a_well_formed_one_to_the_client(string error)
    {
        await using var server = await ServerAsync("error " + error);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        var answer = await Raw().CallAsync(name + "__echo");
        answer.ErrorCode.ShouldBe(1013, answer.Body);
        answer.Json.GetProperty("error").GetProperty("data").GetProperty("cause").GetString().ShouldBe("malformed_error");
        answer.Body.ShouldNotContain(Secret);
    }

    [Theory]
    [InlineData("""{"code":-32000.0,"message":"m","data":{"k":1.50},"more":"x"}""", """{"code":-32000,"message":"m","data":{"k":1.50}}""")]
    [InlineData("""{"code":12e2,"message":"m"}""", """{"code":1200,"message":"m"}""")]
    [InlineData("""{"message":"m","code":1,"message":"n"}""", """{"code":1,"message":"n"}""")]
    public async Task R13_a_well_formed_error_is_passed_on_with_its_three_members(string error, string expected)
    {
        await using var server = await ServerAsync("error " + error);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        (await Raw().CallAsync(name + "__echo")).Json.GetProperty("error").GetRawText().ShouldBe(expected);
    }

    [Fact]
    public async Task R13_null_in_place_of_the_member_that_does_not_apply_is_no_error()
    {
        await using var server = await ServerAsync("null");
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        (await Raw().CallAsync(name + "__echo")).Body.ShouldContain("\"said\"");
    }

    [Theory]
    [InlineData("7", 7)]
    [InlineData("301", 300)]
    [InlineData("99999999999999", 300)]
    [InlineData("Tue, 31 Dec 2999 23:59:59 GMT", 300)]
    [InlineData("Sun, 06 Nov 1994 08:49:37 GMT", 0)]
    [InlineData("soon " + Secret, null)]
    [InlineData("-5", null)]
    public async Task R13_Retry_After_is_passed_on_within_300_s(string value, int? seconds)
    {
        await using var server = await ServerAsync("429", value);
        var (name, _) = await weir.AddReadyAsync(server.Url, """{"tools": {"*": {}}}""");
        var answer = await Raw().CallAsync(name + "__echo");
        var data = answer.Json.GetProperty("error").GetProperty("data");
        (data.TryGetProperty("retryAfterSeconds", out var wait) ? wait.GetInt32() : (int?)null).ShouldBe(seconds, answer.Body);
        (answer.Headers.TryGetValues("Retry-After", out var header) ? header.Single() : null).ShouldBe(
            seconds?.ToString(CultureInfo.InvariantCulture));
        answer.Body.ShouldNotContain(Secret);
    }

    [Fact]
    public void R13_a_date_of_Retry_After_is_a_time_from_now()
    {
        var now = new DateTimeOffset(2026, 11, 30, 2, 0, 0, TimeSpan.Zero);
        using var response = new HttpResponseMessage();
        response.Headers.TryAddWithoutValidation("Retry-After", "Mon, 30 Nov 2026 02:00:42 GMT");
        RetryAfterHeader.Seconds(RetryAfterHeader.Of(response, now)!.Value).ShouldBe(42);
    }

    [Theory]
    [InlineData("session_limit", 503, nameof(UpstreamFailure.Full), true)]
    [InlineData("busy", 503, nameof(UpstreamFailure.Full), true)]
    [InlineData("busy", 200, nameof(UpstreamFailure.Full), false)]
    [InlineData("unavailable", 503, nameof(UpstreamFailure.Unreachable), true)]
    [InlineData("start_failed", 503, nameof(UpstreamFailure.Unreachable), true)]
    [InlineData("upstream_closed", 503, nameof(UpstreamFailure.Unreachable), true)]
    [InlineData("upstream_closed", 200, nameof(UpstreamFailure.Unreachable), false)]
    [InlineData("timeout", 200, nameof(UpstreamFailure.Late), false)]
    [InlineData("overflow", 200, nameof(UpstreamFailure.OverBudget), false)]
    [InlineData("too_large", 200, nameof(UpstreamFailure.TooLarge), false)]
    [InlineData("session_limit", 200, null, false)]
    [InlineData("else", 200, null, false)]
    public async Task R13_a_nodes_own_refusal_is_weirs_and_a_server_that_writes_the_mark_gets_no_call_repeated(
    string mark, int status, string? failure, bool nothingSent)
    {
        var refusal = $$"""{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no","data":{"weir":"{{mark}}"} } }""";
        await using var node = await ScriptedServer.StartAsync((http, _) => ScriptedServer.WriteAsync(http, refusal, status));
        var target = new UpstreamTarget(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "server", node.Url, NodeKey: "key");
        var session =
            new UpstreamSession(target, "2025-11-25", sessionId: null, "{}"u8.ToArray(), "{}"u8.ToArray(), ClientCapabilities.None);
        var ct = TestContext.Current.CancellationToken;
        using var exchange =
            await weir.Services.GetRequiredService<UpstreamClient>().PostAsync(session, "tools/call", name: null, "{}"u8.ToArray(), ct);
        var thrown = default(UpstreamException);
        try
        {
            await foreach (var message in exchange.ReadAsync(1, ct))
            {
                message.Fields.ErrorCode.ShouldBe(-32603);
            }
        }
        catch (UpstreamException e)
        {
            thrown = e;
        }

        thrown?.Failure.ToString().ShouldBe(failure);
        (thrown?.NothingSent ?? false).ShouldBe(nothingSent);
        // What one session's start says does not open the circuit breaker for the others.
        (thrown?.IsOfOneSession ?? false).ShouldBe(status == 503 && mark is "start_failed" or "upstream_closed");
        (thrown is null).ShouldBe(failure is null);
    }

    private async Task FailsAsync(Uri url, string cause)
    {
        var id = await weir.World.AddRemoteAsync("f" + Guid.CreateVersion7(TimeProvider.System.GetUtcNow()).ToString("N")[18..], url);
        await Until.AsyncTrue(async () => await TextAsync("last_error_code", id) is not null, "the instance says why");
        (await TextAsync("last_error_code", id)).ShouldBe(cause);
        (await TextAsync("last_error", id))!.ShouldNotContain(Secret);
    }

    private Task<string?> TextAsync(string column, Guid id) => weir.Database.Superuser.ScalarAsync<string?>(
        $"select {column} from public.mcp_server_instances where id = $1", [Sql.Uuid(id)], CancellationToken.None);

    private RawClient Raw() => new(weir.Client(weir.World.AgentKey));

    /// <summary>A modern server whose tool fails as a test says.</summary>
    private static Task<ScriptedServer> ServerAsync(
        string fault, string? retryAfter = null) => ScriptedServer.StartAsync((http, request) => request.Method switch
    {
        "server/discover" => ScriptedServer.WriteAsync(http, ScriptedServer.Result(request, ScriptedServer.ModernDiscovery)),
        "tools/list" => ScriptedServer.WriteAsync(http, ScriptedServer.Result(request,
            """{"resultType":"complete","tools":[{"name":"echo","inputSchema":{"type":"object"} }]}""")),
        _ => FailAsync(http, request, fault, retryAfter),
    });

    private static Task FailAsync(HttpContext http, ScriptedRequest request, string fault, string? retryAfter = null)
    {
        const string Html = "<html>" + Secret + "</html>";
        if (retryAfter is not null)
        {
            http.Response.Headers.RetryAfter = retryAfter;
        }

        http.Response.Headers.WWWAuthenticate = $"Bearer realm=\"{Secret}\"";
        http.Response.Headers.Location = "https://example.org/" + Secret;
        var (kind, rest) = fault.Split(' ', 2) is [var first, var second] ? (first, second) : (fault, "");
        return kind switch
        {
            "html" => ScriptedServer.WriteAsync(http, Html, type: "text/html"),
            "nothing" => Task.CompletedTask,
            "error" => ScriptedServer.WriteAsync(http, ScriptedServer.Error(request.Id, rest)),
            "null" =>
                ScriptedServer.WriteAsync(
                    http, $$"""{"jsonrpc":"2.0","id":{{request.Id}},"error":null,"result":{{ScriptedServer.Text("said")}} }"""),
            "json" => ScriptedServer.WriteAsync(http, $$"""{"detail":"{{Secret}}"}""", int.Parse(rest, CultureInfo.InvariantCulture)),
            "rpc" =>
                ScriptedServer.WriteAsync(http, ScriptedServer.Error(request.Id, $$"""{"code":-32099,"message":"{{Secret}}"}"""),
                    int.Parse(rest, CultureInfo.InvariantCulture)),
            _ => ScriptedServer.WriteAsync(http, Html, int.Parse(kind, CultureInfo.InvariantCulture), "text/html"),
        };
    }
}
