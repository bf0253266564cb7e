using Weir.Configuration;

namespace Weir.Server.Up;

/// <summary>What the demo has made or found again. Null: there is none, or it cannot be known any more.</summary>
internal sealed record DemoReport
{
    public static DemoReport None { get; } = new();

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

/// <summary>Where the demo gets what it works with.</summary>
/// <param name="Services">The running replica's.</param>
/// <param name="Shared">A directory that other accounts can pass through, for the demo folder.</param>
internal sealed record DemoContext(UpOptions Options, WeirConfig Config, IServiceProvider Services, string Shared, TimeProvider Time);

/// <summary>The seam of the demo organization: it comes with the composition of the gateway.</summary>
internal static class Demo
{
    /// <summary>Makes the demo on the first run, finds it on later ones, and waits until its instances are running or failed.</summary>
    public static Task<DemoReport> EnsureAsync(DemoContext context, CancellationToken cancellationToken) => Task.FromResult(DemoReport.None);
}
