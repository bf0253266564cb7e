using System.Text.RegularExpressions;

namespace Weir.NodeAgent.Packages;

/// <summary>
/// A package of the registry by name and exact version. Nothing else that npm would accept in its place (ranges, tags, git and
/// file URLs, options) has this form, so nothing else reaches its command line.
/// </summary>
internal sealed partial record PackageSpec
{
    private PackageSpec(string name, string version)
    {
        Name = name;
        Version = version;
    }

    public string Name { get; }

    public string Version { get; }

    /// <summary>A scope's slash becomes a plus, so each package is one directory.</summary>
    public string DirectoryName => $"{Name.Replace('/', '+')}@{Version}";

    public static bool TryCreate(string? name, string? version, out PackageSpec? spec)
    {
        var valid = name is { Length: <= 214 } && NamePattern().IsMatch(name) && version is { Length: <= 128 }
            && VersionPattern().IsMatch(version);
        spec = valid ? new PackageSpec(name!, version!) : null;
        return valid;
    }

    public override string ToString() => $"{Name}@{Version}";

    [GeneratedRegex(@"\A(@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-z0-9._~-]*\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"\A[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex VersionPattern();
}
