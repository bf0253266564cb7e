using System.Diagnostics;
using Weir.NodeAgent.Linux;

namespace Weir.NodeAgent.Processes;

/// <summary>One running child: its streams, its end, and the way to end it. Its process id is its group and its session.</summary>
internal sealed class ChildProcess
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(20);

    private readonly Process _process;
    private readonly string _groupFile;
    private readonly TimeProvider _time;
    private readonly Lock _inputLock = new();
    private bool _inputClosed;

    public ChildProcess(Process process, string groupFile, TimeProvider time)
    {
        _process = process;
        _groupFile = groupFile;
        _time = time;
        Id = process.Id;
        Input = process.StandardInput.BaseStream;
        Output = process.StandardOutput.BaseStream;
        Error = process.StandardError.BaseStream;
        Exited = WaitAsync();
    }

    public int Id { get; }

    public Stream Input { get; }

    public Stream Output { get; }

    public Stream Error { get; }

    /// <summary>Its exit code, when it has ended and been reaped.</summary>
    public Task<int> Exited { get; }

    /// <summary>
    /// The protocol's way out: close standard input, wait, SIGTERM, wait, SIGKILL; each to the whole group. False when something of
    /// the group is still there afterwards (a process that the kernel cannot end just now).
    /// </summary>
    public async Task<bool> EndAsync(TimeSpan grace)
    {
        CloseInput();
        if (!await GoneWithinAsync(grace))
        {
            Libc.SignalGroup(Id, Libc.SigTerm);
            if (!await GoneWithinAsync(grace))
            {
                Libc.SignalGroup(Id, Libc.SigKill);
            }
        }

        var gone = await GoneWithinAsync(TimeSpan.FromSeconds(5));
        if (gone)
        {
            await Exited;
            File.Delete(_groupFile);
            _process.Dispose();
        }

        return gone;
    }

    private void CloseInput()
    {
        lock (_inputLock)
        {
            if (_inputClosed)
            {
                return;
            }

            _inputClosed = true;
        }

        try
        {
            Input.Dispose();
        }
        catch (IOException)
        {
            // What was still buffered has no reader any more.
        }
    }

    private async Task<bool> GoneWithinAsync(TimeSpan limit)
    {
        var start = _time.GetTimestamp();
        while (Libc.GroupExists(Id))
        {
            // What is left of a group whose leader is gone may be zombies only.
            if (Exited.IsCompleted && !(await GroupWalks.Shared.NextAsync()).Contains(Id))
            {
                return true;
            }

            if (_time.GetElapsedTime(start) >= limit)
            {
                return false;
            }

            await Task.Delay(Poll, _time, CancellationToken.None);
        }

        return true;
    }

    private async Task<int> WaitAsync()
    {
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }
}
