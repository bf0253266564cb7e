using System.Text.Json;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Journeys.Faults;

/// <summary>One client of one era at one replica: a legacy one initializes when it has no session, or has lost it.</summary>
/// <param name="opener">The replica that a legacy session is opened at; another than the one that is called has to pass on what only the
/// opener holds.</param>
internal sealed class TrialCaller(TrialReplica replica, string key, bool isModern, string server, TrialReplica? opener = null) : IDisposable
{
    private readonly RawClient _raw = new(replica.Client(key));
    private readonly RawClient _opening = new((opener ?? replica).Client(key));
    private (string Name, string Value)? _session;

    public async Task<Outcome> CallAsync(string id, string kind = "plain", int wait = 0)
    {
        try
        {
            if (!isModern && _session is null && await InitializeAsync() is { } refused)
            {
                return refused;
            }

            var outcome = Outcome.Of(await _raw.PostAsync(Body(id, kind, wait), Headers()), id);
            if (outcome.Ending == Ending.SessionGone)
            {
                _session = null;
            }

            return outcome;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return Outcome.Broken(e);
        }
    }

    /// <summary>A legacy client's end: its session goes, here and at servers.</summary>
    public async Task EndAsync()
    {
        if (_session is { } session)
        {
            await _raw.SendAsync(HttpMethod.Delete, content: null, [session]);
        }
    }

    public void Dispose()
    {
        _raw.Http.Dispose();
        _opening.Http.Dispose();
    }

    private async Task<Outcome?> InitializeAsync()
    {
        var answer = await _opening.PostAsync(
            """{"jsonrpc":"2."""
                + """0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"tri"""
                + """al","version":"1"} } }""");
        if (!answer.Headers.TryGetValues("Mcp-Session-Id", out var session))
        {
            return Outcome.Of(answer, "");
        }

        _session = ("Mcp-Session-Id", session.Single());
        return null;
    }

    private string Body(string id, string kind, int wait)
    {
        var meta = isModern
            ? ""","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/"""
            + """clientInfo":{"name":"trial","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"""
            : "";
        var arguments = JsonSerializer.Serialize(new { id, kind, wait });
        return $$"""{"jsonrpc":"2.0","id":"{{id}}","method":"tools/call","params":{"name":"{{server}}__mark","arguments":{{arguments}}{{meta}} } }""";
    }

    private IEnumerable<(string Name, string Value)> Headers() =>
        isModern ? RawClient.ModernHeaders("tools/call", $"{server}__mark") : [_session!.Value, ("MCP-Protocol-Version", "2025-11-25")];
}
