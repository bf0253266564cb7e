using Weir.Postgres.Embedded;

namespace Weir.Tests.Infrastructure;

/// <summary>
/// This machine's PostgreSQL once more, in a directory of a test's own, where its files may be replaced as an upgrade of its package does.
/// </summary>
internal sealed class PostgresCopy : IDisposable
{
    private readonly string _root;

    private PostgresCopy(string root, PostgresBinaries binaries) => (_root, Binaries) = (root, binaries);

    public PostgresBinaries Binaries { get; }

    private string Libraries => Path.Combine(Binaries.Directory, "../lib");

    /// <summary>A server finds its files beside itself, so the copy has the same tree.</summary>
    public static async Task<PostgresCopy> MakeAsync()
    {
        var installed = (await PostgresBinaries.FindAsync(null, CancellationToken.None)).ShouldNotBeNull();
        var root = Directory.CreateTempSubdirectory("weir-postgres-copy-").FullName;
        const string Script = """
            chmod 0755 "$1" && mkdir -p "$1/lib/postgresql/$3" "$1/share/postgresql" && cp -RL "$2" "$1/lib/postgresql/$3/bin"
            cp -RL "$2/../../../../share/postgresql/$3" "$1/share/postgresql/$3"
            mkdir "$1/lib/postgresql/$3/lib" && cp -L "$2"/../lib/*.so "$1/lib/postgresql/$3/lib"
            """;
        await ShellAsync(Script, root, installed.Directory, $"{installed.Major}");
        var copy = await PostgresBinaries.ProbeAsync(
            Path.Combine(root, $"lib/postgresql/{installed.Major}/bin"), null, installed.Major, CancellationToken.None);
        return new PostgresCopy(root, copy.ShouldNotBeNull());
    }

    /// <summary>Each library is one that no session can load any more; by renaming, so that who has it open keeps the old one.</summary>
    public Task BreakLibrariesAsync() => ShellAsync("""
        for file in "$1"/*.so; do cp "$file" "$file.kept" && echo 'no library' >"$file.new" && mv "$file.new" "$file"; done
        """, Libraries);

    /// <summary>Each library is the one of before, as a new file.</summary>
    public Task MendLibrariesAsync() => ShellAsync("""for file in "$1"/*.so; do mv "$file.kept" "$file"; done""", Libraries);

    /// <summary>As the package's next minor version: each program and library is a new file in the place of the old one.</summary>
    public Task UpgradeAsync() => ShellAsync("""
        for file in "$1"/*.so "$2"/*; do cp "$file" "$file.new" && mv "$file.new" "$file"; done
        """, Libraries, Binaries.Directory);

    /// <summary>The server's program is one that says to be of this major version.</summary>
    public Task ReplaceServerAsync(int major) => ShellAsync("""
        printf '#!/bin/sh\necho "postgres (PostgreSQL) %s.1"\n' "$2" >"$1.new" && chmod 0755 "$1.new" && mv "$1.new" "$1"
        """, Binaries.Postgres, $"{major}");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static async Task ShellAsync(string script, params string[] arguments)
    {
        var result = await Tool.RunAsync("sh", ["-e", "-c", script, "sh", .. arguments], CancellationToken.None);
        result.ExitCode.ShouldBe(0, result.Error);
    }
}
