using Weir.NodeAgent.Bridge;
using Weir.NodeAgent.Packages;
using Weir.NodeAgent.Processes;

namespace Weir.NodeAgent.Servers;

/// <summary>How persistently an instance is kept running.</summary>
internal sealed record SupervisionOptions
{
    /// <summary>Attempts in a row that may fail before the instance is <c>failed</c>. Default 6.</summary>
    public int Attempts { get; init; } = 6;

    /// <summary>The first wait between attempts; it doubles. Default 500 ms.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest wait between attempts. Default 30 s.</summary>
    public TimeSpan LongestWait { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>An instance that ran for so long has its failed attempts forgotten. Default 1 minute.</summary>
    public TimeSpan Stable { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How often a shared child is pinged. Default 15 s.</summary>
    public TimeSpan PingEvery { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long it may take to answer; one miss is <c>degraded</c>, three in a row are a restart. Default 10 s.</summary>
    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(10);
}

/// <summary>What all instances of a node share.</summary>
internal sealed record ServerContext(
    string DataDirectory,
    InstanceDirectories Directories,
    TempLinks TempLinks,
    string? Problem,
    string NodeProgram,
    PackageStore Packages,
    Launcher Launcher,
    UidRange? Uids,
    BridgeOptions Bridge,
    OrganizationBudgets Budgets,
    SupervisionOptions Supervision,
    Func<double> Chance,
    TimeProvider Time,
    ILogger Log);
