extern alias NodeAgent;

using NodeAgent::Weir.NodeAgent.Packages;
using NodeAgent::Weir.NodeAgent.State;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>What the node writes because of a child, or of npm, is bounded.</summary>
public sealed class LogTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-log-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void F08_equal_lines_are_written_once_and_counted()
    {
        using var log = new InstanceLog(_directory, Guid.Empty, TimeProvider.System);
        for (var i = 0; i < 10_000; i++)
        {
            log.Write("stderr", "the same");
        }

        log.Read(10, null).Select(l => l.Text).ShouldBe(["the same", "The last line was repeated 9999 times."]);
        log.Write("stderr", "another");
        log.Write("stdout", "another");
        log.Read(10, null).Select(l => (l.Source, l.Text)).TakeLast(2).ShouldBe([("stderr", "another"), ("stdout", "another")]);
        new DirectoryInfo(Path.Combine(_directory, "logs")).EnumerateFiles().Sum(f => f.Length).ShouldBeLessThan(2000);
    }

    [Fact]
    public void F08_equal_lines_that_go_on_are_counted_each_minute()
    {
        var time = new ShiftedClock();
        using var log = new InstanceLog(_directory, Guid.Empty, time);
        for (var i = 0; i < 6; i++)
        {
            log.Write("stderr", "the same");
            time.Now += TimeSpan.FromSeconds(25);
        }

        log.Read(10, null).Select(l => l.Text).ShouldBe(
            ["the same", "The last line was repeated 2 times.", "the same", "The last line was repeated 2 times."]);
    }

    [Fact]
    public void F08_a_log_that_is_flooded_keeps_two_files_of_a_mebibyte()
    {
        using var log = new InstanceLog(_directory, Guid.Empty, TimeProvider.System);
        for (var i = 0; i < 1_000; i++)
        {
            log.Write("stderr", i + new string('\u0001', 9_000));
        }

        var files = Directory.GetFiles(Path.Combine(_directory, "logs"));
        files.Length.ShouldBe(2);
        files.Sum(f => new FileInfo(f).Length).ShouldBeLessThan(2_300_000);
        log.Read(5000, null)[^1].Text.ShouldStartWith("999");
    }

    [Fact]
    public async Task F08_of_what_npm_prints_only_the_end_is_kept()
    {
        using var process = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("sh", ["-c", "head -c 30000000 /dev/zero | tr '\\0' x; echo end"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
        })!;
        var output = await OutputTail.ReadAsync(process.StandardOutput);
        output.Length.ShouldBeLessThanOrEqualTo(OutputTail.Limit);
        output.ShouldEndWith("xend\n");
    }

    [Fact]
    public async Task F08_npm_is_told_to_write_no_log_files()
    {
        var (npm, seen) = (Path.Combine(_directory, "npm"), Path.Combine(_directory, "seen"));
        await File.WriteAllTextAsync(npm, $"#!/bin/sh\necho \"$*\" >{seen}\nexit 1\n", Token);
        File.SetUnixFileMode(npm, (UnixFileMode)0b111_101_101);
        var store = new PackageStore(_directory, npm, TimeSpan.FromMinutes(1), TimeProvider.System);
        PackageSpec.TryCreate("some-package", "1.0.0", out var package).ShouldBeTrue();
        await Should.ThrowAsync<InstanceFailure>(store.EnsureAsync(package!, Token));
        (await File.ReadAllTextAsync(seen, Token)).ShouldContain("--logs-max=0");
    }

    private sealed class ShiftedClock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = System.GetUtcNow();

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
