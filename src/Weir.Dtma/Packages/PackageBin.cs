using System.Text.Json;
using Weir.Dtma.State;
using Weir.Nodes;

namespace Weir.Dtma.Packages;

/// <summary>Finds the script behind a package's executable, as npx would, but without npx.</summary>
internal static class PackageBin
{
    private const int LongestManifest = 4 << 20;

    /// <exception cref="InstanceFailure">The package has no such executable, or it lies outside of the package.</exception>
    public static string Resolve(string packageDirectory, PackageSpec package, string? bin)
    {
        var file = Path.Combine(packageDirectory, "package.json");
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
            throw Invalid($"The package.json of {package} is not as npm describes it: {e.Message}");
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
        return inside && File.Exists(path) ? path : throw Invalid($"The executable {script} of {package} is not in the package.");
    }

    private static string Script(JsonElement manifest, PackageSpec package, string? bin)
    {
        var found = manifest.TryGetProperty("bin", out var declared);
        if (found && declared.ValueKind == JsonValueKind.String)
        {
            var own = package.Name[(package.Name.IndexOf('/') + 1)..];
            return bin is null || bin == own ? declared.GetString()! : throw Invalid($"{package} has no executable {bin}; it has {own}.");
        }

        var all = found && declared.ValueKind == JsonValueKind.Object
            ? declared.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetString() ?? "", StringComparer.Ordinal)
            : [];
        if (bin is null && all.Count == 1)
        {
            return all.Values.Single();
        }

        return bin is not null && all.TryGetValue(bin, out var script)
            ? script
            : throw Invalid($"{package} has {(all.Count == 0 ? "no executables" : string.Join(", ", all.Keys))}: {bin ?? "which one is to run must be said"}.");
    }

    private static InstanceFailure Invalid(string message) => new(NodeErrors.PackageInvalid, message, isFinal: true);
}
