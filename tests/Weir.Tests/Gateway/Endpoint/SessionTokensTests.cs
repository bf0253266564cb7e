using Microsoft.Extensions.Time.Testing;
using Weir.Gateway.Http;
using Weir.Identity;
using Weir.Keys;
using Weir.Mcp;

namespace Weir.Tests.Gateway.Endpoint;

public sealed class SessionTokensTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Principal _principal = Principal.OfKey(AgentKey.Parse(AgentKey.Create().Text)!);

    [Fact]
    public void A19_a_session_opens_for_its_principal_and_path_only()
    {
        var tokens = Tokens();
        var sealedId = tokens.Seal(tokens.Create(_principal, "/mcp", "2025-11-25", ClientCapabilities.None, Guid.Empty));
        tokens.TryOpen(sealedId, _principal, "/mcp", out var session).ShouldBe(SessionCheck.Good);
        session!.Version.ShouldBe("2025-11-25");
        tokens.TryOpen(sealedId, Principal.OfKey(AgentKey.Parse(AgentKey.Create().Text)!), "/mcp", out _).ShouldBe(SessionCheck.Foreign);
        tokens.TryOpen(sealedId, _principal, "/mcp/files", out _).ShouldBe(SessionCheck.Unknown);
    }

    [Fact]
    public void A_session_ends_with_its_time()
    {
        var tokens = Tokens();
        var sealedId = tokens.Seal(tokens.Create(_principal, "/mcp", "2025-11-25", ClientCapabilities.None, Guid.Empty));
        _time.Advance(SessionTokens.Lifetime);
        tokens.TryOpen(sealedId, _principal, "/mcp", out _).ShouldBe(SessionCheck.Unknown);
    }

    [Theory]
    [InlineData("x")]
    [InlineData("!!!")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public void A19_what_was_not_sealed_here_is_unknown(string id) =>
    Tokens().TryOpen(id, _principal, "/mcp", out _).ShouldBe(SessionCheck.Unknown);

    private SessionTokens Tokens() => new(Ring, _time);

    private static readonly Keyring Ring = Keyring.Parse([Convert.ToBase64String(new byte[32])]);
}
