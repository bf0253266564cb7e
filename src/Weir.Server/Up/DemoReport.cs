namespace Weir.Server.Up;

/// <summary>What the demo has made or found again. Null: it cannot be known, e.g. a login on a Supabase database.</summary>
internal sealed record DemoReport
{
    public Guid? AgentId { get; init; }

    public string? AgentKey { get; init; }

    public Guid? OrganizationId { get; init; }

    public Guid? WorkspaceId { get; init; }

    public Guid? ChannelId { get; init; }

    public string? AnonKey { get; init; }

    public string? UserToken { get; init; }

    public string? Email { get; init; }

    public string? Password { get; init; }
}
