using Weir.Postgres.Embedded;
using Weir.Telemetry;

namespace Weir.Tests.Telemetry;

/// <summary>A file that is appended to by somebody who does not rotate it.</summary>
public sealed class LogRotationTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-test-log-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task F08_a_log_above_its_bound_is_kept_once_and_emptied_while_its_writer_goes_on()
    {
        var log = Path.Combine(_directory, "weir.log");
        await using var writer = new FileStream(log, new FileStreamOptions
        {
            Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.ReadWrite, BufferSize = 0,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        await File.WriteAllTextAsync(log + ".old", "older", TestContext.Current.CancellationToken);
        await writer.WriteAsync(new byte[LogRotation.MaxBytes], TestContext.Current.CancellationToken);
        await RotateAsync(log);
        new FileInfo(log).Length.ShouldBe(LogRotation.MaxBytes, "it is at its bound and not above it");

        await writer.WriteAsync("x"u8.ToArray(), TestContext.Current.CancellationToken);
        await RotateAsync(log);

        new FileInfo(log).Length.ShouldBe(0);
        new FileInfo(log + ".old").Length.ShouldBe(LogRotation.MaxBytes + 1);
        File.Exists(log + ".old.old").ShouldBeFalse();
    }

    [Fact]
    public async Task A_log_that_is_not_there_is_left_alone()
    {
        await LogRotation.RotateAsync(Path.Combine(_directory, "none"),
            _ => throw new InvalidOperationException("nothing is to be rotated"), TestContext.Current.CancellationToken);
        Directory.EnumerateFiles(_directory).ShouldBeEmpty();
    }

    private static Task RotateAsync(string log) => LogRotation.RotateAsync(
        log, ct => Tool.RunAsync("sh", ["-c", LogRotation.Script, "sh", log], ct), TestContext.Current.CancellationToken);
}
