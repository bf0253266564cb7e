using Weir.Errors;
using Weir.Postgres;

namespace Weir.Identity;

/// <summary>Proves an agent's key against the database.</summary>
internal sealed class KeyQueries(Databases databases)
{
    private const string AuthenticateKey = "select agent_id from weir.authenticate_key($1, $2)";

    /// <exception cref="WeirException">WR002: the key is not good.</exception>
    /// <param name="isKnown">Whether this replica found it good lately.</param>
    public async Task AuthenticateAsync(AgentKey key, bool isKnown)
    {
        var pool = isKnown ? databases.Engine : databases.Unverified;
        // Not ended when the caller goes away: a statement that is cancelled is lines in PostgreSQL's log.
        if (await pool.ScalarAsync<Guid?>(AuthenticateKey, [Sql.Text(key.Id), Sql.Bytea(key.SecretHash)], CancellationToken.None) is null)
        {
            throw AgentKey.Refused();
        }
    }
}
