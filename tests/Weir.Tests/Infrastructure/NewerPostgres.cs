using System.Text.Json;
using Weir.Postgres.Embedded;

namespace Weir.Tests.Infrastructure;

/// <summary>PostgreSQL of a version that Debian does not have yet, as npm carries it: <c>tests/clients</c> has the package.</summary>
internal static class NewerPostgres
{
    private static readonly string[] PgTap = ["pgtap.control", "pgtap--1.2.0.sql"];

    /// <summary>
    /// Copied to where PostgreSQL's own account may read it, with the links that npm's scripts would make, and with pgTAP.
    /// </summary>
    public static async Task<PostgresBinaries> UnpackAsync(int major, string place)
    {
        var native = Path.Combine(Repository.Root, $"tests/clients/node_modules/postgres-{major}/native");
        File.SetUnixFileMode(place,
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        foreach (var file in Directory.EnumerateFiles(native, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(place, Path.GetRelativePath(native, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
            File.SetUnixFileMode(copy, File.GetUnixFileMode(copy) | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
        }

        using var links = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(native, "pg-symlinks.json")));
        foreach (var link in links.RootElement.EnumerateArray())
        {
            var target = Path.Combine(place, Path.GetRelativePath("native", link.GetProperty("target").GetString()!));
            File.CreateSymbolicLink(target, Path.GetFileName(link.GetProperty("source").GetString()!));
        }

        // pgTAP is SQL and no more, the same for all versions.
        foreach (var file in PgTap)
        {
            var copy = Path.Combine(place, "share/postgresql/extension", file);
            File.Copy(Path.Combine(await ExtensionsAsync(), file), copy);
            File.SetUnixFileMode(copy, File.GetUnixFileMode(copy) | UnixFileMode.OtherRead);
        }

        return await PostgresBinaries.ProbeAsync(Path.Combine(place, "bin"), Path.Combine(place, "lib"), major, CancellationToken.None)
            ?? throw new InvalidOperationException($"PostgreSQL {major} of tests/clients does not run.");
    }

    private static async Task<string> ExtensionsAsync()
    {
        var debian = (await PostgresBinaries.FindAsync(null, CancellationToken.None))!;
        return Path.Combine(debian.Directory, $"../../../../share/postgresql/{debian.Major}/extension");
    }
}

/// <summary>As Supabase has it today.</summary>
public sealed class Postgres17Cluster : SupabaseCluster
{
    private readonly string _programs = Directory.CreateTempSubdirectory("weir-postgres-17-").FullName;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_programs, recursive: true);
    }

    private protected override async Task<PostgresBinaries?> ProgramsAsync() => await NewerPostgres.UnpackAsync(17, _programs);
}

/// <summary>The newest, which `up` gets from npm where it finds no other.</summary>
public sealed class Postgres18Cluster : TestCluster
{
    private readonly string _programs = Directory.CreateTempSubdirectory("weir-postgres-18-").FullName;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_programs, recursive: true);
    }

    private protected override async Task<PostgresBinaries?> ProgramsAsync() => await NewerPostgres.UnpackAsync(18, _programs);
}
