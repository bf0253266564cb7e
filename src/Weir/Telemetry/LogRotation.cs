namespace Weir.Telemetry;

/// <summary>
/// Bounds a log file whose writer appends to it and does not rotate it: above <see cref="MaxBytes"/> it is copied to <c>{file}.old</c>,
/// which is replaced, and emptied. Lines that come between the two are lost.
/// </summary>
internal static class LogRotation
{
    /// <summary>Bytes.</summary>
    public const long MaxBytes = 16 * 1024 * 1024;

    /// <summary>For <c>sh -c</c>, with the file as its first argument.</summary>
    public const string Script = "cp -- \"$1\" \"$1.old\"; : >\"$1\"";

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Looks at the file until it is told to stop.</summary>
    /// <param name="rotate">Runs <see cref="Script"/>, as the user whom the file belongs to.</param>
    public static async Task RunAsync(string file, Func<CancellationToken, Task> rotate, TimeProvider time, CancellationToken stop)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await timer.WaitForNextTickAsync(stop))
        {
            await RotateAsync(file, rotate, stop);
        }
    }

    /// <summary>Rotates the file if it is larger than it may be.</summary>
    public static async Task RotateAsync(string file, Func<CancellationToken, Task> rotate, CancellationToken ct)
    {
        var log = new FileInfo(file);
        if (log.Exists && log.Length > MaxBytes)
        {
            await rotate(ct);
        }
    }
}
