using System.Diagnostics;
using Weir.Postgres.Embedded;

namespace Weir.Tests.Infrastructure;

/// <summary>PostgreSQL's own client programs, of the version that the cluster runs.</summary>
internal static class PostgresTools
{
    /// <summary>
    /// Runs a script of the repository as <c>psql</c> does, from the repository's root; standard output and error as it wrote them.
    /// </summary>
    public static Task<ToolResult> PsqlAsync(PostgresBinaries binaries, string url, string script, CancellationToken cancellationToken) =>
        RunAsync(binaries, "psql", ["-X", "-q", "-d", url, "-f", Repository.PathOf(script)], cancellationToken);

    /// <summary>The schema as text that says the same for the same schema: without the dump's random key, versions and times.</summary>
    public static async Task<string> DumpSchemaAsync(
        PostgresBinaries binaries, string url, string[] options, CancellationToken cancellationToken)
    {
        var result = await RunAsync(binaries, "pg_dump", ["--schema-only", .. options, "-d", url], cancellationToken);
        result.ExitCode.ShouldBe(0, result.Error);
        return string.Join('\n', result.Output.Split('\n').Where(line =>
            !line.StartsWith(@"\restrict", StringComparison.Ordinal) && !line.StartsWith(@"\unrestrict", StringComparison.Ordinal)
            && !line.StartsWith("-- Dumped ", StringComparison.Ordinal))).Trim() + "\n";
    }

    /// <summary>Standard output and error as it wrote them.</summary>
    public static Task<ToolResult> DumpAsync(
        PostgresBinaries binaries, string url, string[] options, CancellationToken cancellationToken) =>
        RunAsync(binaries, "pg_dump", [.. options, "-d", url], cancellationToken);

    private static Task<ToolResult> RunAsync(
        PostgresBinaries binaries, string program, string[] arguments, CancellationToken cancellationToken)
    {
        var own = Path.Combine(binaries.Directory, program);
        var start = new ProcessStartInfo(File.Exists(own) ? own : program, arguments) { WorkingDirectory = Repository.Root };
        binaries.AddTo(start);
        return Tool.RunAsync(start, cancellationToken);
    }
}
