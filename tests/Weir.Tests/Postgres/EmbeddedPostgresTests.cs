using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;
using Weir.Postgres.Embedded;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

/// <summary>Each test has a cluster of its own, with the settings of <c>weir up</c>.</summary>
public sealed class EmbeddedPostgresTests : IDisposable
{
    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"weir-test-embedded-{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}");

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        if (Directory.Exists(_path))
        {
            Directory.Delete(_path, recursive: true);
        }
    }

    [Fact]
    public async Task A_restart_keeps_data_port_and_passwords()
    {
        string url;
        await using (var first = await StartAsync())
        {
            url = first.Postgres.OwnerUrl;
            await using var owner = TestCluster.Source(url);
            await owner.ExecuteAsync("create table kept as select 42 as answer", [], Cancelled);
        }

        await using var second = await StartAsync();

        second.Postgres.OwnerUrl.ShouldBe(url);
        await using var again = TestCluster.Source(url);
        (await again.ScalarAsync<int>("select answer from kept", [], Cancelled)).ShouldBe(42);
    }

    [Fact]
    public async Task It_is_durable_and_listens_on_loopback_with_passwords_only()
    {
        await using var started = await StartAsync();
        await using var superuser = TestCluster.Source(started.Postgres.SuperuserUrl("weir"));

        var settings = await superuser.QueryAsync(
            "select name || '=' || setting from pg_settings where name in ('fsync', 'synchronous_commit', 'data_checksums', "
                + "'listen_addresses', 'unix_socket_directories', 'full_page_writes') order by name",
            [], r => r.GetString(0), Cancelled);

        settings.ShouldBe(
            [
                "data_checksums=on", "fsync=on", "full_page_writes=on", "listen_addresses=127.0.0.1", "synchronous_commit=on",
                "unix_socket_directories=",
            ]);
        (await superuser.ScalarAsync<bool>(
            "select bool_and(auth_method = 'scram-sha-256') from pg_hba_file_rules", [], Cancelled)).ShouldBeTrue();
    }

    [Fact]
    public async Task The_owner_is_neither_superuser_nor_bypassing()
    {
        await using var started = await StartAsync();
        await using var owner = TestCluster.Source(started.Postgres.OwnerUrl);

        (await owner.ScalarAsync<bool>(
            "select rolsuper or rolbypassrls or rolcreatedb or rolreplication from pg_roles where rolname = current_user", [],
            Cancelled)).ShouldBeFalse();
        (await owner.ScalarAsync<string>("select pg_get_userbyid(datdba)::text from pg_database where datname = current_database()", [],
            Cancelled)).ShouldBe("weir_owner");
    }

    [Fact]
    public async Task Its_secrets_are_readable_by_the_owner_of_the_directory_only()
    {
        await using var started = await StartAsync();

        File.GetUnixFileMode(Path.Combine(_path, "postgres.json")).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Directory.GetFiles(_path, "password", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_second_start_on_the_same_directory_says_so()
    {
        using var first = DataDirectory.Open(_path);

        var refusal = Should.Throw<WeirException>(() => DataDirectory.Open(_path));

        refusal.Code.ShouldBe(ErrorCode.Conflict);
        refusal.Message.ShouldContain($"process {Environment.ProcessId}");
        await Task.CompletedTask;
    }

    [Fact]
    public async Task A_stale_pid_file_is_repaired_even_when_its_number_is_somebody_elses()
    {
        await using (var first = await StartAsync())
        {
        }

        // The number of a living process of the same account: what a container's restart makes of an old one.
        using var stranger = Process.Start(ClusterUser.Choose().Start("sleep", "600"))!;
        await File.WriteAllTextAsync(
            Path.Combine(_path, "postgres/data/postmaster.pid"), $"{stranger.Id}\n{_path}/postgres/data\n", Cancelled);
        try
        {
            await using var second = await StartAsync();
            second.Postgres.Port.ShouldBeGreaterThan(0);
        }
        finally
        {
            stranger.Kill();
        }
    }

    [Fact]
    public async Task A_server_that_dies_is_started_again_and_pools_recover_without_a_restart()
    {
        await using var started = await StartAsync();
        await using var pool = Npgsql.NpgsqlDataSource.Create(DatabaseUrl.Parse(started.Postgres.OwnerUrl).ConnectionString + ";Timeout=2");
        var before = await StartTimeAsync();

        var pid = int.Parse(File.ReadLines(Path.Combine(_path, "postgres/data/postmaster.pid")).First(), CultureInfo.InvariantCulture);
        using (var postmaster = Process.GetProcessById(pid))
        {
            postmaster.Kill();
        }

        // At first an orphaned session may still answer, then it is the typed error at once; then, on the same pool, the new server.
        await Until.AsyncValue(async () =>
        {
            try
            {
                return await StartTimeAsync() is var now && now > before ? now : (DateTime?)null;
            }
            catch (WeirException e) when (e.Code == ErrorCode.Unavailable)
            {
                return null;
            }
        });

        Task<DateTime> StartTimeAsync() => pool.ScalarAsync<DateTime>("select pg_postmaster_start_time()", [], Cancelled)!;
    }

    [Fact]
    public async Task A_server_that_is_let_go_before_it_has_begun_ends_all_the_same()
    {
        await using (var first = await StartAsync())
        {
        }

        var root = Path.Combine(_path, "postgres");
        var user = await ClusterUser.OwnerOfAsync(Path.Combine(root, "data"), Cancelled);
        var programs = (await PostgresBinaries.FindAsync(null, Cancelled)).ShouldNotBeNull();
        using var server = Lifeline.Start(user, programs, Path.Combine(root, "log"),
            ["-D", Path.Combine(root, "data"), "-c", "listen_addresses=", "-c", $"unix_socket_directories={root}"]);

        server.LetGo();

        await server.Ended.WaitAsync(TimeSpan.FromSeconds(30), Cancelled);
        (await File.ReadAllTextAsync(Path.Combine(root, "log"), Cancelled)).ShouldEndWith("database system is shut down\n");
    }

    [Fact]
    public async Task A_port_that_is_taken_is_changed()
    {
        int port;
        await using (var first = await StartAsync())
        {
            port = first.Postgres.Port;
        }

        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, port);
        taken.Start();
        await using var second = await StartAsync();

        second.Postgres.Port.ShouldNotBe(port);
    }

    [Fact]
    public async Task A_missing_password_file_is_a_plain_error()
    {
        await using (var first = await StartAsync())
        {
        }

        File.Delete(Path.Combine(_path, "postgres.json"));

        (await Should.ThrowAsync<WeirException>(StartAsync)).Message.ShouldContain("postgres.json");
    }

    private async Task<Started> StartAsync()
    {
        var directory = DataDirectory.Open(_path);
        try
        {
            return new Started(
                directory,
                await EmbeddedPostgres.StartAsync(
                    directory, new EmbeddedPostgresOptions(), NullLogger.Instance, TimeProvider.System, Cancelled));
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    private sealed record Started(DataDirectory Directory, EmbeddedPostgres Postgres) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Postgres.DisposeAsync();
            Directory.Dispose();
        }
    }
}
