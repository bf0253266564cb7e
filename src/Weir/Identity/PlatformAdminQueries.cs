using Npgsql;
using Weir.Configuration;
using Weir.Postgres;

namespace Weir.Identity;

/// <summary>What only the database's owner may say of people.</summary>
internal sealed class PlatformAdminQueries(string ownerUrl)
{
    private const string Add = "select weir.add_platform_admin($1)";

    /// <exception cref="Errors.WeirException">WR004: there is no such user.</exception>
    public async Task AddAsync(Guid userId, CancellationToken ct)
    {
        await using var owner = NpgsqlDataSource.Create(DatabaseUrl.Parse(ownerUrl).ConnectionString);
        await owner.ExecuteAsync(Add, [Sql.Uuid(userId)], ct);
    }
}
