using System.Text.Json;
using System.Text.RegularExpressions;
using Weir.NodeAgent.State;
using Weir.Nodes;

namespace Weir.NodeAgent.Packages;

/// <summary>Finds the script behind a package's executable, as npx would, but without npx.</summary>
internal static partial class PackageBin
{
    private const int MostNamed = 5;
    private const int LongestManifest = 4 << 20;

    /// <exception cref="InstanceFailure">The package has no such executable, or it lies outside of the package.</exception>
    public static string Resolve(string packageDirectory, PackageSpec package, string? bin)
    {
        var file = Path.Combine(packageDirectory, "package.json");
        if (!File.Exists(file))
        {
            throw Invalid($"{package} has no package.json.");
        }

        if (new FileInfo(file).Length > LongestManifest)
        {
            throw Invalid($"The package.json of {package} is longer than {LongestManifest >> 20} MiB.");
        }

        try
        {
            using var manifest = JsonDocument.Parse(File.ReadAllBytes(file));
            return Resolve(packageDirectory, package, bin, manifest);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or ArgumentException)
        {
            throw Invalid($"The package.json of {package} is not in npm's format.", e.Message);
        }
    }

    private static string Resolve(string packageDirectory, PackageSpec package, string? bin, JsonDocument manifest)
    {
        if (manifest.RootElement.GetProperty("version").GetString() != package.Version)
        {
            throw Invalid($"{package} came with another version.");
        }

        var script = Script(manifest.RootElement, package, bin);
        var path = Path.GetFullPath(Path.Combine(packageDirectory, script));
        var inside = path.StartsWith(packageDirectory + Path.DirectorySeparatorChar, StringComparison.Ordinal);
        return inside && File.Exists(path) ? path : throw Missing($"The file of {package}'s executable is not in the package.", script);
    }

    private static string Script(JsonElement manifest, PackageSpec package, string? bin)
    {
        var found = manifest.TryGetProperty("bin", out var declared);
        if (found && declared.ValueKind == JsonValueKind.String)
        {
            var own = package.Name[(package.Name.IndexOf('/') + 1)..];
            return bin is null || bin == own ? declared.GetString()! : throw Missing($"{package} has no executable {bin}; it has {own}.");
        }

        var all = found && declared.ValueKind == JsonValueKind.Object
            ? declared.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString() ?? "", StringComparer.Ordinal)
            : [];
        if (bin is null && all.Count == 1)
        {
            return all.Values.Single();
        }

        if (bin is not null && all.TryGetValue(bin, out var script))
        {
            return script;
        }

        var has = all.Count == 0 ? "no executables" : string.Join(", ", all.Keys.Where(n => PlainName().IsMatch(n)).Take(MostNamed));
        throw all.Count == 0 || bin is not null
            ? Missing($"{package} has {has}{(bin is null ? "" : $", and not {bin}")}.")
            : new InstanceFailure(
                NodeErrors.ExecutableAmbiguous,
                $"{package} has several executables ({has}): the catalog entry must name one in bin.",
                isFinal: true);
    }

    private static InstanceFailure Missing(string message, string? printed = null) =>
        new(NodeErrors.ExecutableMissing, message, isFinal: true)
    {
        Printed = printed is null ? null : ("npm", printed),
    };

    private static InstanceFailure Invalid(string message, string? printed = null) => new(NodeErrors.PackageInvalid, message, isFinal: true)
    {
        Printed = printed is null ? null : ("npm", printed),
    };

    /// <summary>Names come from the package, so only plain ones are shown.</summary>
    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PlainName();
}
