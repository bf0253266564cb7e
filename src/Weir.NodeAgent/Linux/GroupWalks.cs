namespace Weir.NodeAgent.Linux;

/// <summary>
/// Walks of all of <c>/proc</c>, shared by everybody who waits for a process group to end: at most ten in a second, however many groups
/// there are.
/// </summary>
internal sealed class GroupWalks(Func<IReadOnlySet<int>> walk, TimeProvider time)
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);

    private readonly Lock _lock = new();
    private Task<IReadOnlySet<int>>? _next;

    /// <summary>The node's.</summary>
    public static GroupWalks Shared { get; } = new(ProcFs.LiveGroups, TimeProvider.System);

    /// <summary>The groups that live, as a walk saw that began after this was called.</summary>
    public Task<IReadOnlySet<int>> NextAsync()
    {
        lock (_lock)
        {
            return _next ??= WalkAsync();
        }
    }

    private async Task<IReadOnlySet<int>> WalkAsync()
    {
        await Task.Delay(Pace, time, CancellationToken.None);
        lock (_lock)
        {
            _next = null;
        }

        return walk();
    }
}
