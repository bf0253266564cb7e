using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Weir.Server.Up;

/// <summary>What <c>up --json</c> prints, in this order. Null is what it cannot know, e.g. a login on a Supabase database.</summary>
internal sealed record UpReport
{
    private static readonly JsonSerializerOptions Line = new(JsonSerializerDefaults.Web)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public required string Url { get; init; }

    public required string Mcp { get; init; }

    public required string Chat { get; init; }

    public Guid? AgentId { get; init; }

    public string? AgentKey { get; init; }

    public Guid? OrganizationId { get; init; }

    public Guid? WorkspaceId { get; init; }

    public Guid? ChannelId { get; init; }

    public string? AnonKey { get; init; }

    public string? UserToken { get; init; }

    public string? Email { get; init; }

    public string? Password { get; init; }

    public required string DatabaseUrl { get; init; }

    public required string OwnerDatabaseUrl { get; init; }

    public string ToJsonLine() => JsonSerializer.Serialize(this, Line);

    public string ToText() => string.Join(Environment.NewLine,
    [
        "",
        $"Weir runs at {Url}",
        .. Email is null ? [] : new[] { $"  login      {Email}  {Password}" },
        .. AgentKey is null ? [] : new[]
        {
            $"  agent key  {AgentKey}",
            "",
            "Connect an MCP client:",
            $"  claude mcp add --transport http weir {Mcp} --header \"Authorization: Bearer {AgentKey}\"",
            "Ask the demo agent:",
            $"  ./weir chat{(UserToken is null ? " --token TOKEN" : "")} \"what files are in the demo folder?\"",
        },
        "",
        "Ctrl-C stops everything; data stays.",
    ]);
}
