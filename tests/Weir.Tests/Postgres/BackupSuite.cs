using System.Text.Json;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;
using Weir.Postgres.Backups;
using Weir.Postgres.Migrations;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

/// <summary>A database with a world and a record of several months, its backups, and databases to restore them into.</summary>
public abstract class BackupSuite(TestDatabase database) : IAsyncLifetime
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-backup-").FullName;
    // In a month that no migration of today makes.
    private static readonly DateTimeOffset LongAgo = new(2024, 1, 15, 12, 0, 0, TimeSpan.Zero);

    private readonly List<string> _made = [];

    private protected static CancellationToken Token => TestContext.Current.CancellationToken;

    private protected TestDatabase Database => database;

    private protected World World { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        World = await World.CreateAsync(database);
        await database.Owner.ExecuteAsync("select weir.make_log_partition($1)", [Sql.Timestamp(LongAgo)], Token);
        await WriteAsync(50, LongAgo);
        await WriteAsync(50, at: null);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _made)
        {
            await database.Cluster.DropDatabaseAsync(name);
        }

        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>Rows of the audit log, each like a call's request.</summary>
    private Task WriteAsync(int rows, DateTimeOffset? at) => database.Superuser.ExecuteAsync("""
        insert into public.mcp_interaction_logs (created_at, id, phase, organization_id, kind, decision, epoch, actor_kind, agent_id, agent_name, item, request_copy)
        select coalesce($3, clock_timestamp()), weir.uuid_v7(), 'requested', $1, 'tool_execution', 'allowed', 1, 'agent', $2, E'a name\twith\\ttabs', 'echo',
               repeat(E'line\n\\.\n', 20)
        from generate_series(1, $4)
        """, [Sql.Uuid(World.OrganizationId), Sql.Uuid(World.AgentId), Sql.Timestamp(at), Sql.Integer(rows)], Token);

    private protected string NewFile() => Path.Combine(_directory, Path.GetRandomFileName());

    private protected static Task<BackupManifest> BackUpAsync(string url, string file) =>
        new DatabaseBackup(url, file, _ => { }, TimeProvider.System).RunAsync(Token);

    private protected async Task<(string File, BackupManifest Manifest)> BackUpAsync()
    {
        var file = NewFile();
        return (file, await BackUpAsync(database.OwnerUrl, file));
    }

    private protected static RestoreOptions Options { get; } =
        new("/nowhere/keyring.json", null, WithoutKeyring: false, Newer: null, RevokeAgain: false);

    private protected Task<RestoreReport> RestoreAsync(
        string file, string name, RestoreOptions? options = null, IReadOnlyList<MigrationScript>? release = null) =>
        new DatabaseRestore(ConfigOf(name), release ?? MigrationScript.Embedded(), options ?? Options, _ => { }, _ => { },
            TimeProvider.System).RunAsync(file, Token);

    private protected DatabaseConfig ConfigOf(string name) => new()
    {
        OwnerUrl = database.Cluster.OwnerUrl(name),
        Url = TestCluster.InDatabase(database.GatewayUrl, name),
        EngineUrl = TestCluster.InDatabase(database.EngineUrl, name),
    };

    private protected async Task<string> NewDatabaseAsync(bool migrated = false)
    {
        var name = await database.Cluster.CreateDatabaseAsync(migrated);
        _made.Add(name);
        if (database.Cluster.IsSupabase)
        {
            // Its people are the project's, and come back with it.
            foreach (var id in await database.Superuser.QueryAsync("select id from auth.users", [], r => r.GetGuid(0), Token))
            {
                await LookAsync(name, $"insert into auth.users (id, email) values ('{id}', '{id:N}@example.test') returning 1");
            }
        }

        return name;
    }

    private protected async Task<string?> LookAsync(string name, string sql)
    {
        await using var superuser = database.Cluster.Superuser(name);
        return (await superuser.QueryAsync(sql, [], r => r.IsDBNull(0) ? null : r.GetValue(0).ToString(), Token))[0];
    }

    /// <summary>All rows of all tables, as text; but for what a restore changes.</summary>
    private protected async Task<IReadOnlyList<string>> ContentAsync(string name)
    {
        var changed =
            "'weir.installation', 'weir.replicas', 'weir.sign_ins', 'weir.dtma_nodes', 'weir.change_versions', "
                + "'public.mcp_interaction_logs', 'weir.settings'";
        await using var superuser = database.Cluster.Superuser(name);
        var tables = await superuser.QueryAsync(
            $"select name from weir.backup_tables() where name not in ({changed})", [], r => r.GetString(0), Token);
        var all = new List<string>();
        foreach (var table in tables)
        {
            all.Add(
                table
                    + (await superuser.QueryAsync($"select coalesce(string_agg(t::text, '|' order by t::text), '') from {table} t", [],
                        r => r.GetString(0), Token))[0]);
        }

        return all;
    }
}
