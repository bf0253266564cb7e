using System.Data;
using System.Security.Cryptography;
using DbUp;
using DbUp.Engine;
using DbUp.Engine.Output;
using DbUp.Engine.Transactions;
using DbUp.Postgresql;
using Npgsql;

namespace Weir.Postgres.Migrations;

/// <summary>
/// DbUp's part: it runs each script that the journal lacks in a transaction of its own, and the journal's row in the same one.
/// Locks, checksums and refusals are the migrator's (docs/decisions/0002).
/// </summary>
internal static class MigrationExecution
{
    public static DatabaseUpgradeResult Run(NpgsqlDataSource owner, IReadOnlyList<MigrationScript> scripts, IReadOnlyList<string> done)
    {
        var engine = DeployChanges.To
            .PostgresqlDatabase(new WholeScripts(owner))
            .WithScripts(scripts.Select(s => new SqlScript(s.Name, s.Text)))
            .JournalTo(new Journal(scripts, done))
            .WithTransactionPerScript()
            // A dollar sign is PostgreSQL's quote, not a variable.
            .WithVariablesDisabled()
            .WithExecutionTimeout(TimeSpan.FromMinutes(10))
            .LogTo(new NoOpUpgradeLog())
            .Build();
        return engine.PerformUpgrade();
    }

    /// <summary>
    /// Neither DbUp nor Npgsql can split a script that holds <c>begin atomic</c>: both cut inside the function. So the server
    /// itself takes the script apart: a DO block executes it as one text. A script makes each function as the role that owns it
    /// (<c>set local role weir_system</c>), so these roles may create in the schema weir for as long as a script runs, and never else.
    /// </summary>
    public static string AsOneStatement(string script)
    {
        var tag = "weir_" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        return $"do ${tag}_do$ begin {Owners("grant", "to")} "
            + $"execute ${tag}${script}${tag}$; reset role; {Owners("revoke", "from")} end ${tag}_do$";
    }

    /// <summary>The first script makes the roles, and the schema is there before it: the journal's.</summary>
    private static string Owners(string verb, string preposition) =>
        $"if to_regnamespace('weir') is not null and to_regrole('weir_system') is not null and to_regrole('weir_writer') is not null then "
        + $"{verb} create on schema weir {preposition} weir_system, weir_writer; end if;";

    private sealed class WholeScripts(NpgsqlDataSource owner) : PostgresqlConnectionManager(owner)
    {
        public override IEnumerable<string> SplitScriptIntoCommands(string scriptContents) => [AsOneStatement(scriptContents)];
    }

    private sealed class Journal(IReadOnlyList<MigrationScript> scripts, IReadOnlyList<string> done) : IJournal
    {
        public string[] GetExecutedScripts() => [.. done];

        public void EnsureTableExistsAndIsLatestVersion(Func<IDbCommand> dbCommandFactory)
        {
            // The migrator has made it, after its refusals.
        }

        public void StoreExecutedScript(SqlScript script, Func<IDbCommand> dbCommandFactory)
        {
            using var command = (NpgsqlCommand)dbCommandFactory();
            command.CommandText = MigrationJournal.Insert;
            command.Parameters.Add(Sql.Text(script.Name));
            command.Parameters.Add(Sql.Bytea(scripts.Single(s => s.Name == script.Name).Checksum));
            command.ExecuteNonQuery();
        }
    }
}
