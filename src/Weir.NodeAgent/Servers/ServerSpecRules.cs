using System.Text.RegularExpressions;
using Weir.Nodes;

namespace Weir.NodeAgent.Servers;

internal static class Desired
{
    public const string Running = "running";
    public const string Stopped = "stopped";
}

/// <summary>What a spec must be, whoever sends it: the node trusts Weir's key, and still nothing that could be a command.</summary>
internal static partial class ServerSpecRules
{
    private const int MaxTexts = 256;
    private const int MaxText = 32 * 1024;
    private const int MaxName = 200;
    private const int MaxCount = 1024;

    /// <exception cref="NodeException">The first rule that it breaks.</exception>
    public static void Check(ServerSpec spec)
    {
        Require(spec.Generation > 0, "generation must be positive.");
        Require(spec.OrganizationId != Guid.Empty, "organizationId is missing.");
        Require(
            Array.TrueForAll(new[] { spec.Name, spec.Runtime, spec.Transport, spec.Share }, text => text is { Length: <= MaxName }),
            "name, runtime, transport and share must be texts of at most 200 characters.");
        Require(spec.Desired is Desired.Running or Desired.Stopped, "desired must be running or stopped.");
        Require(spec.Args is { Length: <= MaxTexts } && Array.TrueForAll(spec.Args, IsText),
            "args must be at most 256 texts of 32 KiB, without NUL.");
        Require(
            spec.Env is { Count: <= MaxTexts } && spec.Env.All(e => EnvironmentName().IsMatch(e.Key) && IsText(e.Value)),
            "env must be at most 256 variables; their names are letters, digits and underscores, and do not begin with WEIR_ or __weir.");
        if (spec.Desired == Desired.Stopped)
        {
            return;
        }

        Support(spec.Runtime == "process", "This node has the runtime process.");
        Support(spec.Transport == "stdio", "The runtime process has the transport stdio.");
        Support(spec.Share is "instance" or "session", "share must be instance or session.");
        Require(spec.MaxSessions is null or (>= 1 and <= MaxCount), $"maxSessions must be from 1 to {MaxCount}, not {spec.MaxSessions}.");
        Require(spec.CallsAtOnce is null or (>= 1 and <= MaxCount), $"callsAtOnce must be from 1 to {MaxCount}, not {spec.CallsAtOnce}.");
        Require(
            Packages.PackageSpec.TryCreate(spec.Package, spec.Version, out _),
            "package must be a name of the npm registry and version an exact version, like 1.2.3.");
    }

    private static bool IsText(string? text) => text is { Length: <= MaxText } && !text.Contains('\0', StringComparison.Ordinal);

    private static void Require(bool holds, string message)
    {
        if (!holds)
        {
            throw new NodeException(400, NodeErrors.InvalidArgument, message);
        }
    }

    private static void Support(bool holds, string message)
    {
        if (!holds)
        {
            throw new NodeException(501, NodeErrors.NotSupported, message);
        }
    }

    [GeneratedRegex(@"\A(?!WEIR_|__weir)[A-Za-z_][A-Za-z0-9_]*\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex EnvironmentName();
}
