using System.Collections.Concurrent;
using Weir.NodeAgent.Linux;

namespace Weir.NodeAgent.Servers;

/// <summary>
/// The directories of the instances: the one place where an instance's children may write, and their working directory and home. What is
/// below belongs to the organization's user, whose other servers may change it at any time, so the node touches it by descriptor only
/// (<see cref="OpenDirectory"/>).
/// </summary>
/// <param name="timeLimit">What one removal, or one change of owner, may take. Weir waits ten seconds for an answer.</param>
internal sealed class InstanceDirectories(string dataDirectory, TimeProvider time, TimeSpan? timeLimit = null)
{
    private readonly string _root = Path.Combine(dataDirectory, "instances");
    private readonly TimeSpan _timeLimit = timeLimit ?? TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<Guid, SemaphoreSlim> _removals = new();

    public string PathOf(Guid id) => Path.Combine(_root, id.ToString());

    /// <summary>The directory, made if need be, and its owner's alone.</summary>
    /// <param name="uid">The organization's user; null: the node's own.</param>
    /// <exception cref="IOException">It cannot be given to its owner.</exception>
    public Task<string> PrepareAsync(Guid id, uint? uid) => RunAsync(() => Prepare(id, uid));

    private string Prepare(Guid id, uint? uid)
    {
        var name = OpenDirectory.Name(id.ToString());
        var isOver = Deadline();
        using var root = OpenDirectory.Open(_root);
        using var directory = OpenOrMake(root, name, uid is not null, isOver);
        var owner = directory.Status().Uid;
        if (uid is { } wanted && owner != wanted)
        {
            // The organization's user has changed: another node of this host took the range of users meanwhile.
            new OwnerChange(owner, wanted, isOver).Run(directory);
        }

        directory.MakePrivate();
        return PathOf(id);
    }

    /// <summary>
    /// Removes an instance's directory. An organization's removals run one after the other, each on a thread of its own, so that they delay
    /// no other organization's.
    /// </summary>
    /// <exception cref="IOException">It is not removed yet; another attempt goes on from there.</exception>
    public async Task DeleteAsync(Guid id, Guid organization)
    {
        var turn = _removals.GetOrAdd(organization, _ => new SemaphoreSlim(1));
        if (!await turn.WaitAsync(_timeLimit))
        {
            throw new IOException("Another directory of the organization is being removed.");
        }

        try
        {
            await RunAsync(() => Delete(id));
        }
        finally
        {
            turn.Release();
        }
    }

    private bool Delete(Guid id)
    {
        using var root = OpenDirectory.Open(_root);
        DirectoryRemoval.Run(root, OpenDirectory.Name(id.ToString()), Deadline());
        return true;
    }

    /// <summary>On a thread of its own: the disk may be slow, and the pool's threads serve every instance.</summary>
    private static Task<T> RunAsync<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>
    /// One that belongs to root already is what a removal has left, or a start that was cut off: nothing that anybody needs.
    /// </summary>
    private static OpenDirectory OpenOrMake(OpenDirectory root, byte[] name, bool isIsolated, Func<bool> isOver)
    {
        var isNew = root.TryMakeDirectory(name);
        if (!isNew && isIsolated && root.TryOpenPath(name) is { } there)
        {
            using (there)
            {
                isNew = there.Status().Uid == 0;
            }

            if (isNew)
            {
                DirectoryRemoval.Run(root, name, isOver);
                root.TryMakeDirectory(name);
            }
        }

        return root.TryOpen(name) ?? throw new IOException("The instance's directory is not a directory.");
    }

    private Func<bool> Deadline()
    {
        var start = time.GetTimestamp();
        return () => time.GetElapsedTime(start) > _timeLimit;
    }
}
