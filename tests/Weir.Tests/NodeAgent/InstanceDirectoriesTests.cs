extern alias NodeAgent;

using System.Diagnostics;
using System.Globalization;
using System.Net;
using NodeAgent::Weir.NodeAgent.Configuration;
using NodeAgent::Weir.NodeAgent.Linux;
using NodeAgent::Weir.NodeAgent.Servers;
using NodeAgent::Weir.NodeAgent.State;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Tests.Fixtures;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.NodeAgent;

/// <summary>What the node does below a directory that a tenant owns, while processes of the tenant change it.</summary>
public sealed class InstanceDirectoriesTests
{
    private const uint First = 540_001;
    private const uint Second = 540_002;

    /// <summary>
    /// Runs as the organization's user, with a working directory and a descriptor inside. Swaps each directory with a symbolic link to the
    /// victim, and each file with a hard link or symbolic link, as fast as it can, for as long as it may.
    /// </summary>
    private const string Racer = """
        use strict; my ($dir, $victim, $count) = @ARGV; $| = 1;
        chdir $dir or die $!; mkdir 'work'; chdir 'work' or die $!; opendir(my $held, '.') or die $!;
        for my $i (0 .. $count - 1) {
            mkdir "d$i"; for (1 .. 3) { open(my $file, '>', "d$i/file$_") }
            symlink $victim, "l$i"; open(my $file, '>', "f$i"); symlink "$victim/file1", "s$i";
        }
        my $rename = `uname -m` =~ /x86_64/ ? 316 : 276; my $fd = fileno $held;
        print "ready\n";
        while (1) {
            for my $i (0 .. $count - 1) {
                my ($one, $other, $file, $link) = ("d$i\0", "l$i\0", "f$i\0", "s$i\0");
                syscall($rename, $i % 2 ? -100 : $fd, $one, -100, $other, 2);
                syscall($rename, $fd, $file, -100, $link, 2);
            }
        }
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>The long form runs WEIR_TEST_RACE_ROUNDS rounds.</summary>
    private static int Rounds =>
        int.Parse(Environment.GetEnvironmentVariable("WEIR_TEST_RACE_ROUNDS") ?? "2", CultureInfo.InvariantCulture);

    [Fact]
    public async Task F01_deleting_an_instance_touches_nothing_that_a_sibling_swaps_in()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can give children a user of their own.");
        await using var node = await NodeHost.StartAsync();
        var organization = Guid.NewGuidForTests();
        // It keeps the organization's processes alive while the other instance is deleted.
        await node.DeployAsync(NodeHost.Fixture(organization: organization));
        var uid = await UidOfAsync(node, organization);
        using var victim = new Victim();
        for (var round = 0; round < Rounds; round++)
        {
            var id = await node.DeployAsync(NodeHost.Fixture(organization: organization));
            var directory = Path.Combine(node.Data, "instances", id.ToString());
            using var racer = await RaceAsync(uid, directory, victim.Path);
            await DeleteAsync(node, id);
            Directory.Exists(directory).ShouldBeFalse();
            racer.Kill();
            victim.ShouldBeUntouched();
        }
    }

    [Fact]
    public async Task F01_a_change_of_owner_touches_nothing_that_the_former_owner_swaps_in()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can change owners.");
        var (data, directories) = NewDirectories();
        using var victim = new Victim();
        for (var round = 0; round < Rounds; round++)
        {
            var id = Guid.NewGuidForTests();
            var directory = await directories.PrepareAsync(id, First);
            using var racer = await RaceAsync(First, directory, victim.Path);
            (await directories.PrepareAsync(id, Second)).ShouldBe(directory);
            racer.Kill();
            victim.ShouldBeUntouched();
            UidOf(directory).ShouldBe(Second);
        }

        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task F01_a_change_of_owner_leaves_files_with_other_names_and_files_of_others_alone()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can change owners.");
        var (data, directories) = NewDirectories();
        var id = Guid.NewGuidForTests();
        var directory = await directories.PrepareAsync(id, First);
        (await RunAsAsync(
            First, directory,
            "mkdir -p a/b; touch a/b/own a/twice; ln a/twice a/b/again; ln -s /etc/passwd a/link; mkfifo a/pipe; chmod 000 a/b")).ShouldBe(
            0);
        await File.WriteAllTextAsync(Path.Combine(directory, "a", "of-root"), "x", Token);
        using var victim = new Victim();
        (await NodeHost.Run("ln", victim.File, Path.Combine(directory, "a", "hard"))).ShouldBe(0);

        await directories.PrepareAsync(id, Second);
        foreach (var given in (string[])["", "a", "a/b", "a/b/own", "a/link", "a/pipe"])
        {
            UidOf(Path.Combine(directory, given)).ShouldBe(Second, given);
        }

        UidOf(Path.Combine(directory, "a", "twice")).ShouldBe(First, "It has two names.");
        UidOf(Path.Combine(directory, "a", "of-root")).ShouldBe(0u, "It was not the former owner's.");
        victim.ShouldBeUntouched();
        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task F01_what_a_removal_has_left_is_not_given_to_the_owner()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can change owners.");
        var (data, directories) = NewDirectories();
        var id = Guid.NewGuidForTests();
        Directory.CreateDirectory(Path.Combine(directories.PathOf(id), "left", "over"));
        var directory = await directories.PrepareAsync(id, First);
        Directory.EnumerateFileSystemEntries(directory).ShouldBeEmpty();
        UidOf(directory).ShouldBe(First);
        Directory.Delete(data, recursive: true);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F01_a_tree_made_to_resist_is_removed_with_or_without_root(bool asRoot)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "As root, both cases can be tried.");
        await using var node = await NodeHost.StartAsync(asUser: asRoot ? null : 54321u);
        var target = Directory.CreateTempSubdirectory("weir-target-");
        await File.WriteAllTextAsync(Path.Combine(target.FullName, "file"), "x", Token);
        target.UnixFileMode = (UnixFileMode)0b111_111_111;
        var id = await node.DeployAsync(NodeHost.Fixture());
        var raw = new RawMcp(node, id);
        await raw.InitializeAsync();
        (await raw.CallAsync("litter", $$"""{"levels":300,"target":"{{target.FullName}}","close":true}""")).ShouldBe("done");
        await DeleteAsync(node, id);
        Directory.EnumerateFileSystemEntries(Path.Combine(node.Data, "instances")).ShouldBeEmpty();
        File.Exists(Path.Combine(target.FullName, "file")).ShouldBeTrue();
        target.Delete(recursive: true);
    }

    [Fact]
    public async Task F01_a_tree_of_twenty_thousand_levels_is_removed()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "Only root can change owners.");
        var (data, _) = NewDirectories();
        var directories = new InstanceDirectories(data, TimeProvider.System, TimeSpan.FromSeconds(1));
        var id = Guid.NewGuidForTests();
        var directory = await directories.PrepareAsync(id, First);
        (await RunAsAsync(First, directory, """exec perl -e 'for (1 .. 20000) { mkdir "x" or die; chdir "x" or die }'""")).ShouldBe(0);
        // Each attempt goes on where the one before it ended.
        await Until.AsyncTrue(() => TryDeleteAsync(directories, id), "the tree is removed", TimeSpan.FromMinutes(3));
        Directory.Exists(directory).ShouldBeFalse();
        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task F01_a_removal_that_takes_too_long_is_a_typed_failure_and_the_next_attempt_goes_on()
    {
        var (data, _) = NewDirectories();
        var clock = new Clock { IsFast = true };
        var directories = new InstanceDirectories(data, clock);
        var (id, store) = (Guid.NewGuidForTests(), new StateStore(data, NullLogger.Instance));
        var registry = new ServerRegistry(store, Context(data, directories));
        await registry.PutAsync(
            id, new(1, Guid.NewGuidForTests(), "x", "stopped", "process", "stdio", "instance", null, null, null, null, null, [], []), null);
        Directory.CreateDirectory(Path.Combine(directories.PathOf(id), "a", "b"));
        var failure = await Should.ThrowAsync<NodeException>(registry.DeleteAsync(id));
        (failure.Status, failure.Code).ShouldBe((500, NodeAgent::Weir.Nodes.NodeErrors.RemovalIncomplete));
        registry.Get(id).State.ShouldBe("stopped", "It is kept, so that it can be asked again.");
        store.Load().Single().Spec.Desired.ShouldBe("stopped", "A node that is restarted meanwhile does not start it.");

        clock.IsFast = false;
        await registry.DeleteAsync(id);
        registry.Count.ShouldBe(0);
        Directory.Exists(directories.PathOf(id)).ShouldBeFalse();
        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task F01_a_slow_removal_delays_no_other_organizations()
    {
        var (data, _) = NewDirectories();
        using var clock = new Clock();
        var directories = new InstanceDirectories(data, clock, TimeSpan.FromSeconds(1));
        var (slow, waiting, other) = (Guid.NewGuidForTests(), Guid.NewGuidForTests(), Guid.NewGuidForTests());
        var organization = Guid.NewGuidForTests();
        foreach (var id in (Guid[])[slow, waiting, other])
        {
            Directory.CreateDirectory(Path.Combine(directories.PathOf(id), "a"));
        }

        clock.HoldNext();
        var held = directories.DeleteAsync(slow, organization);
        await clock.Held;
        await directories.DeleteAsync(other, Guid.NewGuidForTests());
        Directory.Exists(directories.PathOf(other)).ShouldBeFalse();
        await Should.ThrowAsync<IOException>(directories.DeleteAsync(waiting, organization));
        clock.Release();
        await held.ContinueWith(_ => { }, Token, TaskContinuationOptions.None, TaskScheduler.Default);
        Directory.Delete(data, recursive: true);
    }

    /// <summary>As Weir does: again until the node has removed it.</summary>
    private static Task DeleteAsync(NodeHost node, Guid id) => Until.AsyncTrue(
        async () =>
        {
            using var response = await node.Http.DeleteAsync($"v1/servers/{id}", Token);
            return response.StatusCode is HttpStatusCode.NoContent;
        },
        "the instance is deleted", TimeSpan.FromMinutes(3));

    private static async Task<bool> TryDeleteAsync(InstanceDirectories directories, Guid id)
    {
        try
        {
            await directories.DeleteAsync(id, Guid.Empty);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static (string Data, InstanceDirectories Directories) NewDirectories()
    {
        var data = NodeHost.NewDataDirectory();
        DataDirectory.Prepare(data);
        return (data, new InstanceDirectories(data, TimeProvider.System, TimeSpan.FromMinutes(1)));
    }

    /// <summary>What instances that never run need.</summary>
    private static ServerContext Context(string data, InstanceDirectories directories) =>
        new(
            data, directories, new TempLinks(Path.Combine(data, "temp"), TempLinks.NewName), null, "", null!, null!, null, new(),
            new(1, long.MaxValue), new(), () => 0, TimeProvider.System, NullLogger.Instance);

    private static async Task<uint> UidOfAsync(NodeHost node, Guid organization)
    {
        var lines = await File.ReadAllLinesAsync(Path.Combine(node.Data, "state", "uids"), Token);
        return uint.Parse(
            lines.Single(l => l.StartsWith($"{organization}", StringComparison.Ordinal)).Split(' ')[1], CultureInfo.InvariantCulture);
    }

    private static uint UidOf(string path)
    {
        using var parent = OpenDirectory.Open(Path.GetDirectoryName(path.TrimEnd('/'))!);
        using var file = parent.TryOpenPath(OpenDirectory.Name(Path.GetFileName(path.TrimEnd('/'))));
        return file!.Status().Uid;
    }

    private static string[] As(uint uid) => ["setpriv", $"--reuid={uid}", $"--regid={uid}", "--clear-groups", "--no-new-privs", "--"];

    private static async Task<int> RunAsAsync(uint uid, string directory, string script)
    {
        string[] command = [.. As(uid), "sh", "-c", script];
        using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = directory })!;
        await process.WaitForExitAsync(Token);
        return process.ExitCode;
    }

    /// <summary>Returns when it has made its directories and swaps them.</summary>
    private static async Task<Race> RaceAsync(uint uid, string directory, string victim)
    {
        string[] command = [.. As(uid), "perl", "-e", Racer, directory, victim, "3000"];
        var process = Process.Start(
            new ProcessStartInfo(
                command[0], command[1..]) { UseShellExecute = false, RedirectStandardOutput = true, WorkingDirectory = "/" })!;
        (await process.StandardOutput.ReadLineAsync(Token)).ShouldBe("ready");
        return new Race(process);
    }

    private sealed class Race(Process process) : IDisposable
    {
        public void Kill()
        {
            process.HasExited.ShouldBeFalse("The racer runs to the end.");
            process.Kill();
        }

        public void Dispose()
        {
            process.Kill();
            process.Dispose();
        }
    }

    /// <summary>A directory of root's that everybody may read.</summary>
    private sealed class Victim : IDisposable
    {
        private const int Files = 20;

        public Victim()
        {
            System.IO.File.SetUnixFileMode(Path, (UnixFileMode)0b111_101_101);
            for (var i = 0; i < Files; i++)
            {
                System.IO.File.WriteAllText(System.IO.Path.Combine(Path, $"file{i}"), "of root");
            }
        }

        public string Path { get; } = Directory.CreateTempSubdirectory("weir-victim-").FullName;

        public string File => System.IO.Path.Combine(Path, "file1");

        public void ShouldBeUntouched()
        {
            var files = Directory.GetFiles(Path);
            files.Length.ShouldBe(Files);
            files.Append(Path).ShouldAllBe(f => UidOf(f) == 0);
            System.IO.File.GetUnixFileMode(Path).ShouldBe((UnixFileMode)0b111_101_101);
        }

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }

    /// <summary>A clock that jumps ten seconds at each look, or stands still at one look until it is released.</summary>
    private sealed class Clock : TimeProvider, IDisposable
    {
        private readonly TaskCompletionSource _held = new();
        private readonly ManualResetEventSlim _release = new();
        private long _looks;
        private int _hold;

        public bool IsFast { get; set; }

        public Task Held => _held.Task;

        public override long GetTimestamp()
        {
            if (Interlocked.Exchange(ref _hold, 0) == 1)
            {
                _held.TrySetResult();
                _release.Wait(TestContext.Current.CancellationToken);
            }

            return IsFast ? Interlocked.Increment(ref _looks) * 10 * System.TimestampFrequency : System.GetTimestamp();
        }

        public void HoldNext() => _hold = 1;

        public void Release() => _release.Set();

        public void Dispose() => _release.Dispose();
    }
}
